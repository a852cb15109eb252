import type { RawResources } from '../../local/aws/cloudformation/template.ts';

export interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

/** The resources of the template, with the statements of one function's role turned into others. */
export function changeRole(
  resources: RawResources,
  folder: string,
  change: (statements: readonly Statement[]) => readonly Statement[],
): RawResources {
  const lambda = Object.values(resources).find(
    ({ Type, Properties }) =>
      Type === 'AWS::Lambda::Function' && String(Properties.FunctionName).endsWith(`-${folder}`),
  );
  const role = lambda?.Properties.Role as { readonly 'Fn::GetAtt': readonly string[] } | undefined;
  if (!role) throw new Error(`there is no function ${folder}`);
  const roleId = role['Fn::GetAtt'][0];
  const policies = Object.entries(resources).filter(
    ([, { Type, Properties }]) =>
      Type === 'AWS::IAM::Policy' &&
      (Properties.Roles as { readonly Ref: string }[]).some(({ Ref }) => Ref === roleId),
  );
  if (policies.length === 0) throw new Error(`the role of ${folder} has no policy`);
  const changed = policies.map(([logicalId, { Type, Properties }]) => {
    const document = Properties.PolicyDocument as { readonly Statement: readonly Statement[] };
    const PolicyDocument = { ...document, Statement: change(document.Statement) };
    return [logicalId, { Type, Properties: { ...Properties, PolicyDocument } }];
  });
  return { ...resources, ...Object.fromEntries(changed) };
}

/** Takes one action out of one function's role. Throws where it was not in it. */
export function withoutAction(resources: RawResources, folder: string, action: string): RawResources {
  let isFound = false;
  const changed = changeRole(resources, folder, (statements) =>
    statements.flatMap((statement) => {
      const actions = [statement.Action].flat();
      const others = actions.filter((name) => name !== action);
      if (others.length < actions.length) isFound = true;
      return others.length > 0 ? [{ ...statement, Action: others }] : [];
    }),
  );
  if (!isFound) throw new Error(`the role of ${folder} does not allow ${action}`);
  return changed;
}
