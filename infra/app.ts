import { App } from 'aws-cdk-lib';
import { bundleFunctions } from './bundle.ts';
import { readContext } from './context.ts';
import { TidemarkStack } from './tidemark-stack.ts';

// Adds the folder of each function's bundle to the template. The CDK CLI sets this too.
const app = new App({ context: { 'aws:cdk:enable-asset-metadata': true } });
const reading = readContext(app.node.getAllContext());
if (!reading.ok) {
  console.error(['The context of this deployment is not valid:', ...reading.problems].join('\n- '));
  process.exit(1);
}
new TidemarkStack(app, { context: reading.context, bundles: await bundleFunctions() });
app.synth();
