export interface RoutePattern {
  readonly method: string;
  readonly segments: readonly string[];
}

/** A route key such as `GET /v1/groups/{groupId}/watermark`. */
export function parseRouteKey(routeKey: string): RoutePattern {
  const [method = '', path = ''] = routeKey.split(' ');
  if (!path.startsWith('/') || path.includes('+}'))
    throw new Error(`the local stack does not support the route ${routeKey}`);
  return { method, segments: segmentsOf(path) };
}

export function segmentsOf(path: string): readonly string[] {
  return path.split('/').slice(1);
}

/** The path parameters, not decoded, if a path matches the route; otherwise null. */
export function matchPath(
  { segments }: RoutePattern,
  given: readonly string[],
): Record<string, string> | null {
  if (given.length !== segments.length) return null;
  const parameters: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const value = given[index] ?? '';
    if (!isParameter(segment)) {
      if (segment !== value) return null;
    } else if (value === '') {
      return null;
    } else {
      parameters[segment.slice(1, -1)] = value;
    }
  }
  return parameters;
}

/** Routes with fewer parameters come first. */
export function bySpecificity(a: RoutePattern, b: RoutePattern): number {
  return a.segments.filter(isParameter).length - b.segments.filter(isParameter).length;
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{');
}
