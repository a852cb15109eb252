import { describe, expect, test } from '@jest/globals';
import { bySpecificity, matchPath, parseRouteKey, segmentsOf } from '../../../local/aws/gateway/routes.ts';

describe('matching a path', () => {
  const members = parseRouteKey('PUT /v1/groups/{groupId}/members/{userId}');

  test('returns the parameters, not decoded', () => {
    expect(matchPath(members, segmentsOf('/v1/groups/a%2Fb/members/x+y'))).toEqual({
      groupId: 'a%2Fb',
      userId: 'x+y',
    });
  });

  test.each([
    '/v1/groups/a/b/members/x',
    '/v1/groups//members/x',
    '/v1/groups/a/members/x/',
    '/v1/groups/a/members',
    '/V1/groups/a/members/x',
  ])('%s does not match', (path) => {
    expect(matchPath(members, segmentsOf(path))).toBeNull();
  });

  test('prefers fixed segments to parameters', () => {
    const keys = ['GET /v1/{x}/{y}', 'GET /v1/groups/{y}', 'GET /v1/groups/all'].map(parseRouteKey);
    expect(keys.toSorted(bySpecificity).map(({ segments }) => segments.join('/'))).toEqual([
      'v1/groups/all',
      'v1/groups/{y}',
      'v1/{x}/{y}',
    ]);
  });
});
