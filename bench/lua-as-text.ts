import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What the bundles do: Lua files are text. For what is imported from then on. */
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
