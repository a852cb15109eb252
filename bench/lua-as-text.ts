import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Loads Lua files as text, like the bundles, for all later imports. */
export function takeLuaAsText(): void {
  registerHooks({
    load: (url, context, nextLoad) =>
      url.endsWith('.lua')
        ? {
            format: 'module',
            source: `export default ${JSON.stringify(readFileSync(fileURLToPath(url), 'utf8'))};`,
            shortCircuit: true,
          }
        : nextLoad(url, context),
  });
}
