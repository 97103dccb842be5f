import { parse } from '@sap-ux/edmx-parser';
import { builtInTypes, ContentTypes } from '@latchkey/content';
import { csdlJson, csdlXml } from './csdl.js';

interface ParsedType {
  name: string;
  keys: { name: string; type: string }[];
  entityProperties: { name: string; type: string; maxLength?: number }[];
  navigationProperties: { name: string; targetTypeName: string; isCollection: boolean }[];
}
const parsed = (types: ContentTypes) => parse(csdlXml(types)) as unknown as { version: string; schema: { entityTypes: ParsedType[] } };

describe('$metadata', () => {
  it('is read by a CSDL parser of others’: keys, kinds, lengths and references', () => {
    const { version, schema } = parsed(builtInTypes);
    expect(version).toBe('4.01');
    expect(schema.entityTypes.map(({ name }) => name)).toEqual(builtInTypes.all().map(({ name }) => name));
    const typeNamed = (wanted: string) => schema.entityTypes.find(({ name }) => name === wanted);
    expect(typeNamed('GenericContent')?.keys).toMatchObject([{ name: 'Id', type: 'Edm.Int32' }]);
    expect(typeNamed('User')?.entityProperties).toContainEqual(
      expect.objectContaining({ name: 'LoginName', type: 'Edm.String', maxLength: 100 }),
    );
    expect(typeNamed('Group')?.navigationProperties).toMatchObject([
      { name: 'Members', targetTypeName: 'Latchkey.GenericContent', isCollection: true },
    ]);
  });

  it('says the same in JSON', () => {
    const model = (csdlJson(builtInTypes) as { Latchkey: Record<string, Record<string, { $Kind?: string; $Type?: string }>> }).Latchkey;
    for (const { name, entityProperties, navigationProperties } of parsed(builtInTypes).schema.entityTypes) {
      const members = Object.entries(model[name] ?? {}).filter(([member]) => !member.startsWith('$'));
      expect(new Set(members.map(([member]) => member))).toEqual(
        new Set([...entityProperties, ...navigationProperties].map((property) => property.name)),
      );
      for (const { name: member, type } of entityProperties) expect(model[name]?.[member]?.$Type ?? 'Edm.String').toBe(type);
    }
  });

  it('holds nothing but data, whatever somebody calls a type', () => {
    const name = `x"/><!-- & '`;
    const types = new ContentTypes([
      { name, parent: null, displayName: '', description: '', icon: '', fields: [{ name: 'a<b', kind: 'Boolean', displayName: '' }] },
    ]);
    expect(parsed(types).schema.entityTypes).toMatchObject([{ name, entityProperties: [{ name: 'a<b' }] }]);
  });
});
