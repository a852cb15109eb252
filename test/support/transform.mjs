import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';
import { scriptText } from '../../infra/script-text.ts';

/** The sources of this transformation. If one changes, Jest transforms every file again. */
const sources = [import.meta.url, new URL('../../infra/script-text.ts', import.meta.url)].map((url) =>
  readFileSync(new URL(url), 'utf8'),
);

/** Transforms files for Jest as the bundles have them: TypeScript without its types, Lua scripts as text. */
export default {
  getCacheKey(source, path, { configString }) {
    return createHash('sha256')
      .update(JSON.stringify([...sources, configString, path, source]))
      .digest('hex');
  },
  process(source, path) {
    if (path.endsWith('.lua')) return { code: `export default ${JSON.stringify(scriptText(source))};` };
    const { code } = transformSync(source, {
      loader: 'ts',
      format: 'esm',
      target: 'node24',
      sourcefile: path,
      sourcemap: 'inline',
    });
    return { code };
  },
};
