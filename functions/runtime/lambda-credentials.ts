import { fromEnv } from '@aws-sdk/credential-provider-env';

/**
 * Stands in for `@aws-sdk/credential-provider-node` in the bundles. Lambda hands a function its credentials in the
 * environment; looking for them in files, SSO and instance metadata as well costs 30 ms of every cold start.
 */
export const defaultProvider = fromEnv;
