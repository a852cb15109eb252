/** The part of an AWS client that holds the steps of its calls. */
interface Stepped {
  readonly middlewareStack: { remove(name: string): boolean };
}

/**
 * Steps of each call that have no use here. One copies input and answer for a logger, but there is no logger. The other
 * adds a header with the name and the settings of the SDK, which nothing reads.
 */
const UNUSED_STEPS = ['loggerMiddleware', 'getUserAgentMiddleware'] as const;

/** Removes these steps from a client. Returns the same client. */
export function lean<Client extends Stepped>(client: Client): Client {
  for (const name of UNUSED_STEPS) client.middlewareStack.remove(name);
  return client;
}
