// Three metrics in Prometheus text form, names and buckets as dashboards know them ("miliseconds"
// included). By hand: every start of every Function would have to load a metrics SDK for them.
const BUCKETS_MS = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000];

export function createMetrics({ functionName = '', namespace = '' }) {
  const counts = new Array(BUCKETS_MS.length).fill(0);
  let calls = 0;
  let failures = 0;
  let sum = 0;

  return {
    // Up to the settled promise: what the caller waits for.
    record({ failed, ms }) {
      calls += 1;
      if (failed) failures += 1;
      sum += ms;
      BUCKETS_MS.forEach((bound, i) => {
        if (ms <= bound) counts[i] += 1;
      });
    },
    render() {
      return [
        ...family('target_info', 'gauge', 'Target metadata'),
        `target_info{service_name=${quote(functionName)},service_namespace=${quote(namespace)}} 1`,
        ...family('function_calls_total', 'counter', 'Number of calls to user function'),
        `function_calls_total ${calls}`,
        ...family('function_failures_total', 'counter', 'Number of exceptions in user function'),
        `function_failures_total ${failures}`,
        ...family('function_duration_miliseconds', 'histogram', 'Duration of user function in milliseconds'),
        ...BUCKETS_MS.map((bound, i) => `function_duration_miliseconds_bucket{le="${bound}"} ${counts[i]}`),
        `function_duration_miliseconds_bucket{le="+Inf"} ${calls}`,
        `function_duration_miliseconds_sum ${sum}`,
        `function_duration_miliseconds_count ${calls}`,
        '',
      ].join('\n');
    },
  };
}

function family(name, type, help) {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function quote(value) {
  return JSON.stringify(value);
}
