import type { ContentTypeDefinition, ContentTypes, FieldDefinition, FieldKind } from '@latchkey/content';

/** What the field kinds are called in a schema that existing clients read. */
const settingOf: Record<FieldKind, { setting: string; field: string }> = {
  ShortText: { setting: 'ShortTextFieldSetting', field: 'ShortTextField' },
  LongText: { setting: 'LongTextFieldSetting', field: 'LongTextField' },
  Integer: { setting: 'IntegerFieldSetting', field: 'IntegerField' },
  Number: { setting: 'NumberFieldSetting', field: 'NumberField' },
  Boolean: { setting: 'NullFieldSetting', field: 'BooleanField' },
  DateTime: { setting: 'DateTimeFieldSetting', field: 'DateTimeField' },
  Binary: { setting: 'BinaryFieldSetting', field: 'BinaryField' },
  Reference: { setting: 'ReferenceFieldSetting', field: 'ReferenceField' },
};

/** The content types as `GetSchema` gives them: each with its own fields and those it inherits. */
export function presentSchema(types: ContentTypes): Record<string, unknown>[] {
  return types.all().map((type) => presentType(types, type));
}

function presentType(types: ContentTypes, type: ContentTypeDefinition): Record<string, unknown> {
  return {
    ContentTypeName: type.name,
    DisplayName: type.displayName,
    Description: type.description,
    Icon: type.icon,
    ParentTypeName: type.parent,
    AllowIndexing: true,
    AllowIncrementalNaming: true,
    AllowedChildTypes: types.allowedBelow(type.name),
    FieldSettings: types.fieldsOf(type.name).map(presentField),
  };
}

function presentField(field: FieldDefinition): Record<string, unknown> {
  const names = settingOf[field.kind];
  return {
    Name: field.name,
    Type: names.setting,
    FieldClassName: names.field,
    DisplayName: field.displayName,
    ReadOnly: field.readOnly ?? false,
    Compulsory: field.required ?? false,
    ...(field.maxLength === undefined ? {} : { MaxLength: field.maxLength }),
  };
}
