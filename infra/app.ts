import { App } from 'aws-cdk-lib';
import { bundleFunctions } from './bundle.ts';
import { readContext } from './context.ts';
import { TidemarkStack } from './tidemark-stack.ts';

// The CDK CLI asks for this too: each function of the template then names the folder of its bundle.
const app = new App({ context: { 'aws:cdk:enable-asset-metadata': true } });
const reading = readContext(app.node.getAllContext());
if (!reading.ok) {
  console.error(['The context of this deployment will not do:', ...reading.problems].join('\n- '));
  process.exit(1);
}
new TidemarkStack(app, { context: reading.context, bundles: await bundleFunctions() });
app.synth();
