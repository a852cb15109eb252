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
// The local stack starts faster with the bundles of its last start. What is deployed is always made anew.
const bundles = await bundleFunctions({ reuse: process.env.TIDEMARK_REUSE_BUNDLES === 'true' });
new TidemarkStack(app, { context: reading.context, bundles });
app.synth();
