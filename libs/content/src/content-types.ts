/** How a field's value is kept, compared and shown. */
export type FieldKind = 'ShortText' | 'LongText' | 'Integer' | 'Number' | 'Boolean' | 'DateTime' | 'Reference' | 'Binary';

/** A value as it is kept; a DateTime is a text of `parseTime`. */
export type FieldValue = string | number | boolean | null;

export interface FieldDefinition {
  name: string;
  kind: FieldKind;
  displayName: string;
  /** A write without it is refused. */
  required?: boolean;
  /** Characters of a text; 450 for a ShortText and 100,000 for a LongText if absent. */
  maxLength?: number;
  /** What a number must be at least and at most. */
  minimum?: number;
  maximum?: number;
  /** The only texts that a ShortText may be. */
  options?: string[];
  /** A Reference leads to any number of nodes instead of at most one. */
  multiple?: boolean;
  /** Types, with those derived from them, to which a Reference may lead; any if absent. */
  allowedTypes?: string[];
  /** The system gives the value: what a caller writes there is passed over. */
  readOnly?: boolean;
}

export interface ContentTypeDefinition {
  name: string;
  /** The type whose fields it has too; null for the one at the top. */
  parent: string | null;
  displayName: string;
  description: string;
  icon: string;
  fields: FieldDefinition[];
  /** Types that may be put below it, with the types derived from them; the parent's if absent. */
  allowedChildTypes?: string[];
  /** May only be put where it is named itself, not where a type is that it derives from. */
  restricted?: boolean;
}

/** A set of content types that derive from each other, as one repository has it. Names are found whatever their case. */
export class ContentTypes {
  readonly #byName = new Map<string, ContentTypeDefinition>();
  readonly #fields = new Map<string, FieldDefinition[]>();
  readonly #fieldByName = new Map<string, FieldDefinition>();

  /** @param definitions each after its parent. */
  constructor(definitions: readonly ContentTypeDefinition[]) {
    for (const type of definitions) {
      this.#byName.set(type.name.toLowerCase(), type);
      this.#fields.set(type.name, [...(type.parent ? this.fieldsOf(type.parent) : []), ...type.fields]);
      for (const field of type.fields) this.#fieldByName.set(field.name.toLowerCase(), field);
    }
  }

  /** All of them, each after its parent. */
  all(): ContentTypeDefinition[] {
    return [...this.#byName.values()];
  }

  find(name: string): ContentTypeDefinition | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  /** Its own fields after those it inherits. */
  fieldsOf(typeName: string): FieldDefinition[] {
    return this.#fields.get(typeName) ?? [];
  }

  /** The field of this name, whichever type it belongs to: a name means the same kind of value everywhere. */
  field(name: string): FieldDefinition | undefined {
    return this.#fieldByName.get(name.toLowerCase());
  }

  /** The type and everything that derives from it; empty when there is no such type. */
  derivedFrom(name: string): string[] {
    const ancestor = this.find(name);
    return ancestor
      ? this.all()
          .filter((type) => this.isA(type, ancestor.name))
          .map((type) => type.name)
      : [];
  }

  isA(type: ContentTypeDefinition, ancestor: string): boolean {
    for (let at: ContentTypeDefinition | undefined = type; at; at = at.parent === null ? undefined : this.find(at.parent)) {
      if (at.name === ancestor) return true;
    }
    return false;
  }

  /** Names of the types that may be put below one of this type. */
  allowedBelow(typeName: string): string[] {
    const type = this.find(typeName);
    const allowed = type?.allowedChildTypes ?? (type?.parent ? this.allowedBelow(type.parent) : []);
    return this.all()
      .filter((child) => allowed.includes(child.name) || (!child.restricted && allowed.some((name) => this.isA(child, name))))
      .map((child) => child.name);
  }
}
