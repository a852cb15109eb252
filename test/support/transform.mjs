import { transformSync } from 'esbuild';

/** Jest's view of what the bundles do: TypeScript without its types, Lua files as text. */
export default {
  process(source, path) {
    if (path.endsWith('.lua')) return { code: `export default ${JSON.stringify(source)};` };
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
