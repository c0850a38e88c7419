// Browsers may call a Function from anywhere; their preflight never reaches user code.
export function allowAnyOrigin(request, response, next) {
  response.set('Access-Control-Allow-Origin', '*');
  if (request.method !== 'OPTIONS') return next();

  echo(request, response, 'Access-Control-Request-Method', 'Access-Control-Allow-Methods');
  echo(request, response, 'Access-Control-Request-Headers', 'Access-Control-Allow-Headers');
  return response.end();
}

function echo(request, response, asked, allowed) {
  const value = request.get(asked);
  if (value !== undefined) response.set(allowed, value);
}
