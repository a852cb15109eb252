import { resourcesOf } from '../cloudformation/properties.ts';
import { ACCOUNT_ID, type Template, TemplateError } from '../cloudformation/template.ts';
import type { PolicyDocument } from './policy-document.ts';
import { Principal } from './principal.ts';

interface NamedRole {
  readonly name: string;
  readonly policies: readonly PolicyDocument[];
}

/** The roles of the template, by ARN, each with its policies. */
function rolesIn(template: Template): ReadonlyMap<string, NamedRole> {
  const roles = new Map<string, { name: string; policies: PolicyDocument[] }>();
  for (const { logicalId } of resourcesOf(template, 'AWS::IAM::Role')) {
    const { ref: name, attributes } = template.identityOf(logicalId);
    roles.set(attributes.Arn ?? '', { name, policies: [] });
  }
  for (const { logicalId, properties } of resourcesOf(template, 'AWS::IAM::Policy')) {
    for (const roleName of properties.Roles) {
      const role = [...roles.values()].find(({ name }) => name === roleName);
      if (!role) throw new TemplateError(`${logicalId}: there is no role ${roleName}`);
      role.policies.push(properties.PolicyDocument);
    }
  }
  return roles;
}

/** The principal of a role that a service of AWS uses. Throws a TemplateError if there is no such role. */
export function rolePrincipal(template: Template, roleArn: string): Principal {
  const role = rolesIn(template).get(roleArn);
  if (!role) throw new TemplateError(`there is no role ${roleArn}`);
  return new Principal(roleArn, role.policies);
}

/** The principals of the template's functions, by function name. Each is a session of the function's role. */
export function functionPrincipals(template: Template): ReadonlyMap<string, Principal> {
  const roles = rolesIn(template);
  return new Map(
    resourcesOf(template, 'AWS::Lambda::Function').map(({ logicalId, properties }) => {
      const { FunctionName = template.identityOf(logicalId).ref, Role } = properties;
      const role = roles.get(Role);
      if (!role) throw new TemplateError(`${logicalId}: there is no role ${Role}`);
      const arn = `arn:aws:sts::${ACCOUNT_ID}:assumed-role/${role.name}/${FunctionName}`;
      return [FunctionName, new Principal(arn, role.policies)];
    }),
  );
}
