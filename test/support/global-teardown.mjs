/** How to stop what the setup has started, in the order of the starts. */
export const started = [];

export default async function stopEngines() {
  for (const stop of started.splice(0).reverse()) await stop();
}
