/** The part of an AWS client that holds the steps of its calls. */
interface Stepped {
  readonly middlewareStack: { remove(name: string): boolean };
}

/**
 * Steps of each call that have no use here: one copies the input and the answer for a logger, and there is none; the
 * other writes a header with the name and the settings of the SDK. They cost little, and nobody gains by
 * them.
 */
const SPARED_STEPS = ['loggerMiddleware', 'getUserAgentMiddleware'] as const;

/** Removes these steps from a client. Returns the same client. */
export function lean<Client extends Stepped>(client: Client): Client {
  for (const name of SPARED_STEPS) client.middlewareStack.remove(name);
  return client;
}
