import { functionNameIn, onlyResource, resourcesOf } from '../cloudformation/properties.ts';
import { ACCOUNT_ID, type Template, TemplateError } from '../cloudformation/template.ts';
import { type Credentials, credentialsOf } from '../credentials.ts';
import type { Secrets } from '../secrets.ts';
import { functionPrincipals } from './function-roles.ts';
import type { PolicyDocument } from './policy-document.ts';
import { type Grant, Principal } from './principal.ts';

/** A principal with the access key that it signs its calls with. */
export interface Caller extends Credentials {
  readonly principal: Principal;
}

/** A permission of a function's role. */
export interface FunctionGrant extends Grant {
  readonly functionName: string;
}

/** The name of an operator's credentials in a data directory's secrets. */
export const OPERATOR = 'operator';

/** All callers of a local stack's AWS services: each function of the template, a back end, and an operator. */
export class Callers {
  readonly backEnd: Caller;
  readonly #functions: ReadonlyMap<string, Caller>;
  readonly #byAccessKeyId: ReadonlyMap<string, Caller>;

  constructor(template: Template, secrets: Pick<Secrets, 'generate'>) {
    const user = (name: string, policy: PolicyDocument): Caller => ({
      ...credentialsOf(secrets, name),
      principal: new Principal(`arn:aws:iam::${ACCOUNT_ID}:user/${name}`, [policy]),
    });
    this.backEnd = user('back-end', backEndPolicy(template));
    this.#functions = new Map(
      [...functionPrincipals(template)].map(([name, principal]) => [
        name,
        { ...credentialsOf(secrets, `function:${name}`), principal },
      ]),
    );
    const operator = user(OPERATOR, EVERYTHING);
    this.#byAccessKeyId = new Map(
      [this.backEnd, operator, ...this.#functions.values()].map((caller) => [caller.accessKeyId, caller]),
    );
  }

  /** Throws a TemplateError if there is no such function. */
  ofFunction(nameOrArn: string): Caller {
    const caller = this.#functions.get(functionNameIn(nameOrArn));
    if (!caller) throw new TemplateError(`there is no function ${nameOrArn}`);
    return caller;
  }

  byAccessKeyId(accessKeyId: string | undefined): Caller | undefined {
    return accessKeyId === undefined ? undefined : this.#byAccessKeyId.get(accessKeyId);
  }

  /** The permissions of the functions' roles, each with whether a call has needed it. */
  grants(): FunctionGrant[] {
    return [...this.#functions].flatMap(([functionName, { principal }]) =>
      principal.grants.map((grant) => ({ functionName, ...grant })),
    );
  }
}

/** The operator of the deployment may do everything that the local stack supports. */
const EVERYTHING: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['*'], Resource: ['*'] }],
};

/** The permissions of the credentials in dev.json, which are for a chat's back end. */
function backEndPolicy(template: Template): PolicyDocument {
  const bus = template.identityOf(onlyResource(template, 'AWS::Events::EventBus').logicalId);
  const tableArns = resourcesOf(template, 'AWS::DynamoDB::Table').map(
    ({ logicalId }) => template.identityOf(logicalId).attributes.Arn ?? '',
  );
  const allow = (Action: string[], ...Resource: string[]) => ({ Effect: 'Allow' as const, Action, Resource });
  return {
    Version: '2012-10-17',
    Statement: [
      allow(['events:PutEvents'], bus.attributes.Arn ?? ''),
      allow(
        ['BatchGetItem', 'DescribeTable', 'GetItem', 'Query', 'Scan'].map((name) => `dynamodb:${name}`),
        ...tableArns.flatMap((arn) => [arn, `${arn}/index/*`]),
      ),
      allow(['dynamodb:ListTables'], '*'),
    ],
  };
}
