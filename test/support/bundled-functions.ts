import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Bundles every function, and returns the folder of the bundles' folders. */
export async function bundledFunctions(): Promise<string> {
  // Jest's own globals are not those that esbuild checks for.
  const script =
    "const { bundleFunctions } = await import('./infra/bundle.ts'); console.log(await bundleFunctions());";
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  return stdout.trim();
}
