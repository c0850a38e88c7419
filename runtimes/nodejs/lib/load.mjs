import path from 'node:path';
import { pathToFileURL } from 'node:url';

// import() takes CommonJS and ES modules alike. Whatever the module throws is the caller's to handle.
export async function loadHandler({ directory, module, handler }) {
  const file = path.join(directory, `${module}.js`);
  const exported = await import(pathToFileURL(file));
  // A CommonJS export which is computed isn't a named one for import(): it is on the default then.
  const call = exported[handler] ?? exported.default?.[handler];
  if (typeof call === 'function') return call;

  const found = call === undefined ? 'not exported' : `of type ${typeof call}`;
  console.error(`${file}: "${handler}" is ${found}, it has to be an exported function. Every call is answered with 500 until it is one.`);
  return undefined;
}
