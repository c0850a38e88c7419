// The metrics in Prometheus text form. Names and buckets of the first ones are as dashboards know them
// ("miliseconds" included), the last one is OpenTelemetry's standard. By hand: every start of every
// Function would have to load a metrics SDK for them.
const BUCKETS_MS = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000];
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);

export function createMetrics({ functionName = '', namespace = '' }) {
  const calls = createHistogram(BUCKETS_MS);
  // By status code and method.
  const requests = new Map();
  let failures = 0;

  const series = (method, status) => {
    let ofStatus = requests.get(status);
    if (!ofStatus) requests.set(status, ofStatus = new Map());
    let histogram = ofStatus.get(method);
    if (!histogram) ofStatus.set(method, histogram = createHistogram(BUCKETS_SECONDS));
    return histogram;
  };

  return {
    // A call of the user's function, up to the settled promise: what the caller waits for.
    record({ failed, ms }) {
      if (failed) failures += 1;
      calls.record(ms);
    },
    // A request, up to the end of its response.
    recordRequest({ method }, { statusCode, headersSent }, ms) {
      // The client left before there was an answer.
      if (!headersSent) return;
      // What a client calls a method must not make a series each.
      series(METHODS.has(method) ? method : '_OTHER', statusCode).record(ms / 1000);
    },
    render() {
      return [
        ...family('target_info', 'gauge', 'Target metadata'),
        `target_info{service_name=${quote(functionName)},service_namespace=${quote(namespace)}} 1`,
        ...family('function_calls_total', 'counter', 'Number of calls to user function'),
        `function_calls_total ${calls.count()}`,
        ...family('function_failures_total', 'counter', 'Number of exceptions in user function'),
        `function_failures_total ${failures}`,
        ...family('function_duration_miliseconds', 'histogram', 'Duration of user function in milliseconds'),
        ...calls.render('function_duration_miliseconds'),
        ...family('http_server_request_duration_seconds', 'histogram', 'Duration of HTTP server requests'),
        ...[...requests].flatMap(([status, ofStatus]) => [...ofStatus].flatMap(([method, histogram]) => histogram.render(
          'http_server_request_duration_seconds',
          `http_request_method=${quote(method)},http_response_status_code="${status}",url_scheme="http"`,
        ))),
        '',
      ].join('\n');
    },
  };
}

function createHistogram(bounds) {
  // Each in the first bucket that it fits; they are summed up when somebody reads them.
  const counts = new Array(bounds.length + 1).fill(0);
  let count = 0;
  let sum = 0;

  return {
    record(value) {
      let bucket = 0;
      while (bucket < bounds.length && value > bounds[bucket]) bucket += 1;
      counts[bucket] += 1;
      count += 1;
      sum += value;
    },
    count: () => count,
    render(name, labels) {
      let below = 0;
      const labelled = (more) => [labels, more].filter(Boolean).join(',');
      const suffix = labels ? `{${labels}}` : '';
      return [
        ...bounds.map((bound, i) => `${name}_bucket{${labelled(`le="${bound}"`)}} ${below += counts[i]}`),
        `${name}_bucket{${labelled('le="+Inf"')}} ${count}`,
        `${name}_sum${suffix} ${sum}`,
        `${name}_count${suffix} ${count}`,
      ];
    },
  };
}

function family(name, type, help) {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function quote(value) {
  return JSON.stringify(value);
}
