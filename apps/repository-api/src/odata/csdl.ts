import type { ContentTypes, FieldDefinition, FieldKind } from '@latchkey/content';

/*
 * The content types as an entity model: OData CSDL 4.01, in XML and in JSON. Each content type is an entity type that has its
 * parent for a base; references are navigation properties to any content.
 */

const namespace = 'Latchkey';

const edmTypeOf: Partial<Record<FieldKind, string>> = {
  ShortText: 'Edm.String',
  LongText: 'Edm.String',
  Integer: 'Edm.Int32',
  Number: 'Edm.Double',
  Boolean: 'Edm.Boolean',
  DateTime: 'Edm.DateTimeOffset',
};

/** The type at the top, whose key all have. */
const top = 'GenericContent';

const maxLengthOf = (field: FieldDefinition) => (field.kind === 'ShortText' || field.kind === 'LongText' ? field.maxLength : undefined);

/** CSDL XML 4.01. */
export function csdlXml(types: ContentTypes): string {
  const text = (value: string) => value.replace(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`);
  const property = (field: FieldDefinition) => {
    const name = text(field.name);
    const edmType = edmTypeOf[field.kind];
    if (!edmType) {
      const target = field.multiple ? `Collection(${namespace}.${top})` : `${namespace}.${top}`;
      return `<NavigationProperty Name="${name}" Type="${target}"/>`;
    }
    const length = maxLengthOf(field);
    return `<Property Name="${name}" Type="${edmType}"${field.name === 'Id' ? ' Nullable="false"' : ''}${length ? ` MaxLength="${length}"` : ''}/>`;
  };
  const entityTypes = types.all().map((type) => {
    const base = type.parent === null ? '' : ` BaseType="${namespace}.${text(type.parent)}"`;
    const key = type.parent === null ? '<Key><PropertyRef Name="Id"/></Key>' : '';
    return `<EntityType Name="${text(type.name)}"${base} OpenType="true">${key}${type.fields.map(property).join('')}</EntityType>`;
  });
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<edmx:Edmx Version="4.01" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>',
    `<Schema Namespace="${namespace}" xmlns="http://docs.oasis-open.org/odata/ns/edm">`,
    ...entityTypes,
    `<EntityContainer Name="Container"><EntitySet Name="Root" EntityType="${namespace}.${top}"/></EntityContainer>`,
    '</Schema></edmx:DataServices></edmx:Edmx>',
  ].join('\n');
}

/** CSDL JSON 4.01. */
export function csdlJson(types: ContentTypes): Record<string, unknown> {
  const property = (field: FieldDefinition) => {
    const edmType = edmTypeOf[field.kind];
    if (!edmType) {
      const many = field.multiple ? { $Collection: true } : {};
      return { $Kind: 'NavigationProperty', $Type: `${namespace}.${top}`, ...many };
    }
    const length = maxLengthOf(field);
    return {
      ...(edmType === 'Edm.String' ? {} : { $Type: edmType }),
      ...(field.name === 'Id' ? {} : { $Nullable: true }),
      ...(length ? { $MaxLength: length } : {}),
    };
  };
  const entityTypes = types.all().map((type) => [
    type.name,
    {
      $Kind: 'EntityType',
      ...(type.parent === null ? { $Key: ['Id'] } : { $BaseType: `${namespace}.${type.parent}` }),
      $OpenType: true,
      ...Object.fromEntries(type.fields.map((field) => [field.name, property(field)])),
    },
  ]);
  return {
    $Version: '4.01',
    $EntityContainer: `${namespace}.Container`,
    [namespace]: {
      ...Object.fromEntries(entityTypes),
      Container: { $Kind: 'EntityContainer', Root: { $Collection: true, $Type: `${namespace}.${top}` } },
    },
  };
}
