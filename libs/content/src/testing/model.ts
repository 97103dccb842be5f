import { builtInTypes } from '../built-in-types.js';
import { allPermissions, permissionBits, type ContentPermissionName } from '../permissions.js';
import { wellKnown } from '../well-known.js';

/** A node of the model. What is in the trash by itself has `was`. */
export interface ModelNode {
  id: number;
  /** Nothing for the topmost node of the model. */
  parent: number | undefined;
  name: string;
  type: string;
  fields: { Index?: number; DisplayName?: string };
  /** It inherits nothing. */
  breaks: boolean;
  /** Where it was when it was deleted by itself, and the nodes from which it inherited there. */
  was?: { parent: number; name: string; above: number[] };
}

export interface ModelGrant {
  bits: number;
  hereOnly: boolean;
}

/**
 * A tree of nodes with permissions, groups and a trash, by the words of docs/guides/content.md and without any regard to speed:
 * what the real one is compared with.
 */
export class Model {
  readonly nodes = new Map<number, ModelNode>();
  /** By node, then by user or group. */
  readonly grants = new Map<number, Map<number, ModelGrant[]>>();
  readonly members: { group: number; member: number }[] = [];
  /** Groups in the trash give their members nothing. */
  readonly trashedGroups = new Set<number>();

  add(node: ModelNode): void {
    this.nodes.set(node.id, node);
  }

  node(id: number): ModelNode {
    const node = this.nodes.get(id);
    if (!node) throw new Error(`The model has no ${id}`);
    return node;
  }

  give(node: number, identity: number, grant: ModelGrant): void {
    const ofNode = this.grants.get(node) ?? new Map<number, ModelGrant[]>();
    this.grants.set(node, ofNode.set(identity, [...(ofNode.get(identity) ?? []), grant]));
  }

  /** Whoever it is, Everyone, and the groups that these belong to. */
  identitiesOf(user: number): Set<number> {
    const identities = new Set([user, wellKnown.everyone]);
    for (let grown = true; grown;) {
      const before = identities.size;
      for (const { group, member } of this.members) if (identities.has(member) && !this.trashedGroups.has(group)) identities.add(group);
      grown = identities.size > before;
    }
    return identities;
  }

  children(id: number): ModelNode[] {
    return [...this.nodes.values()].filter((node) => node.parent === id && !node.was);
  }

  /** The node and everything below it, each after its parent. */
  subtree(id: number): ModelNode[] {
    return [this.node(id), ...this.children(id).flatMap((child) => this.subtree(child.id))];
  }

  path(id: number): string {
    const node = this.node(id);
    if (node.was) return `/Root/Trash/${id}`;
    return node.parent === undefined ? `/Root/${node.name}` : `${this.path(node.parent)}/${node.name}`;
  }

  isInTrash(id: number): boolean {
    const node = this.node(id);
    return node.was !== undefined || (node.parent !== undefined && this.isInTrash(node.parent));
  }

  /** The nodes where a permission that holds here may have been given: up to a break. */
  chain(id: number): number[] {
    const node = this.node(id);
    if (node.breaks) return [id];
    if (node.was) return [...node.was.above, id];
    return [...(node.parent === undefined ? [] : this.chain(node.parent)), id];
  }

  /** What the user may do on the node, as bits. */
  bits(user: number, id: number): number {
    const identities = this.identitiesOf(user);
    let bits = 0;
    for (const at of this.chain(id))
      for (const [identity, grants] of this.grants.get(at) ?? [])
        for (const grant of grants) if (identities.has(identity) && (!grant.hereOnly || at === id)) bits |= grant.bits;
    return bits;
  }

  may(user: number, permission: ContentPermissionName, id: number): boolean {
    return (this.bits(user, id) & permissionBits[permission]) !== 0;
  }

  mayEverything(user: number, id: number): boolean {
    return this.bits(user, id) === allPermissions;
  }

  takes(parentType: string, type: string): boolean {
    return builtInTypes.allowedBelow(parentType).includes(type);
  }

  isTaken(parent: number, name: string): boolean {
    return this.children(parent).some((child) => child.name.toLowerCase() === name.toLowerCase());
  }

  freeName(parent: number, name: string): string {
    for (let number = 0; ; number += 1) {
      const wanted = number === 0 ? name : `${name} (${number})`;
      if (!this.isTaken(parent, wanted)) return wanted;
    }
  }

  /** Takes away a node and everything below it, with what was given there. */
  erase(id: number): void {
    for (const node of this.subtree(id)) {
      this.nodes.delete(node.id);
      this.grants.delete(node.id);
    }
  }

  /** Breaks inheritance: what was inherited is given on the node itself, or what the Administrators had and nothing else. */
  break(id: number, keepInherited: boolean): void {
    const node = this.node(id);
    if (node.breaks) return;
    for (const above of this.chain(id).slice(0, -1))
      for (const [identity, grants] of this.grants.get(above) ?? [])
        for (const { bits, hereOnly } of grants)
          if (!hereOnly && (keepInherited || identity === wellKnown.administrators)) this.give(id, identity, { bits, hereOnly: false });
    node.breaks = true;
    // What waits in the trash inherited from here, and from nothing above any more.
    for (const { was } of this.nodes.values()) if (was?.above.includes(id)) was.above = was.above.slice(was.above.indexOf(id));
  }

  inheritAgain(id: number): void {
    const node = this.node(id);
    if (!node.breaks || node.parent === undefined) return;
    node.breaks = false;
    const above = this.chain(node.parent);
    for (const { was } of this.nodes.values()) if (was?.above.includes(id)) was.above = [...above, ...was.above];
  }
}
