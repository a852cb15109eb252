import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';

const itself = readFileSync(new URL(import.meta.url), 'utf8');

/**
 * Jest's view of what the bundles do: TypeScript without its types, Lua files as text without their comments. So a test knows a
 * script that a bundle sends by its digest.
 */
export default {
  // Jest's own key leaves this file out: after a change of it, Jest would use what an earlier version made.
  getCacheKey(source, path) {
    return createHash('sha256').update([itself, path, source].join('\0')).digest('hex');
  },
  process(source, path) {
    if (path.endsWith('.lua')) {
      const text = source.replaceAll(/^[ \t]*--.*$/gm, '');
      return { code: `export default ${JSON.stringify(text)};` };
    }
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
