import { DefaultNamingStrategy } from 'typeorm';

/** Columns are the snake_case form of the property, as the migrations write them. */
export class SnakeCaseNaming extends DefaultNamingStrategy {
  override columnName(propertyName: string, customName: string | undefined): string {
    return customName || propertyName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }
}
