import type { IncomingMessage } from 'node:http';
import { ACCOUNT_ID, REGION } from '../cloudformation/template.ts';
import type { Credentials } from '../credentials.ts';
import { findSigner } from '../signature.ts';

export type IamAuthorization =
  | { readonly outcome: 'allowed'; readonly iam: IamCaller }
  | { readonly outcome: 'forbidden'; readonly reason: string };

/** The signer, in the form that a function receives. */
interface IamCaller {
  readonly accessKey: string;
  readonly accountId: string;
  readonly callerId: string;
  readonly cognitoIdentity: null;
  readonly principalOrgId: string | null;
  readonly userArn: string;
  readonly userId: string;
}

/**
 * IAM as the authorizer of a route
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html). The call must be signed for
 * `execute-api` by a caller who may invoke the route.
 */
export class IamAuthorizer {
  readonly #backEnd: Credentials;

  /** @param backEnd the only credentials that may invoke the routes with IAM authorization */
  constructor(backEnd: Credentials) {
    this.#backEnd = backEnd;
  }

  #credentialsOf(accessKeyId: string): Credentials | undefined {
    return accessKeyId === this.#backEnd.accessKeyId ? this.#backEnd : undefined;
  }

  async authorize(
    request: Pick<IncomingMessage, 'method' | 'headersDistinct'>,
    path: string,
    rawQuery: string,
    body: Buffer,
  ): Promise<IamAuthorization> {
    const query = queryIn(rawQuery);
    if (!query) return { outcome: 'forbidden', reason: 'The query has a malformed percent escape.' };
    const signer = await findSigner(request, body, (id) => this.#credentialsOf(id), Date.now(), {
      path,
      query,
      headers: ['host', 'x-amz-date'],
      service: 'execute-api',
      region: REGION,
    });
    if (signer.outcome === 'refused') {
      return { outcome: 'forbidden', reason: `The call must be signed by a back end: ${signer.reason}.` };
    }
    const { accessKeyId } = signer.credentials;
    return {
      outcome: 'allowed',
      iam: {
        accessKey: accessKeyId,
        accountId: ACCOUNT_ID,
        callerId: accessKeyId,
        cognitoIdentity: null,
        principalOrgId: null,
        userArn: `arn:aws:iam::${ACCOUNT_ID}:user/back-end`,
        userId: accessKeyId,
      },
    };
  }
}

/** The parameters of a query; null if it is malformed. A plus is a plus: only forms use it for a blank. */
function queryIn(rawQuery: string): Record<string, string | string[]> | null {
  const query: Record<string, string | string[]> = {};
  try {
    for (const pair of rawQuery.split('&').filter((one) => one !== '')) {
      const [name = '', ...value] = pair.split('=').map(decodeURIComponent);
      const before = query[name];
      query[name] = before === undefined ? value.join('=') : [before, value.join('=')].flat();
    }
  } catch {
    return null;
  }
  return query;
}
