// Has `import` find what the server brings along, where a Function on a developer's machine does not have
// it; `require` does so by NODE_PATH.
import { register } from 'node:module';

const hooks = `
  export async function resolve(specifier, context, next) {
    try {
      return await next(specifier, context);
    } catch (error) {
      if (error.code !== 'ERR_MODULE_NOT_FOUND' || /^[./]|^file:/.test(specifier)) throw error;
      return next(specifier, { ...context, parentURL: ${JSON.stringify(import.meta.url)} }).catch(() => { throw error; });
    }
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
