import { fromEnv } from '@aws-sdk/credential-provider-env';

/**
 * Replaces `@aws-sdk/credential-provider-node` in the bundles. Lambda passes credentials in the environment. The code
 * that searches files, SSO and instance metadata for them costs 30 ms of every cold start.
 */
export const defaultProvider = fromEnv;
