import { useEffect, useState } from 'react';
import { TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { MagnifyingGlassIcon } from '@radix-ui/react-icons';

export interface SearchFieldProps {
  label: string;
  placeholder: string;
  /** Is told what to look for when nobody has typed for a moment. */
  onSearch: (words: string) => void;
}

/** A list of so many is not seen at once. */
export const worthSearching = 8;

/** Looks for a part of what the things of a list are called. */
export function SearchField({ label, onSearch, placeholder }: SearchFieldProps) {
  const [typed, setTyped] = useState('');
  const [settled] = useDebouncedValue(typed.trim(), 200);
  useEffect(() => onSearch(settled), [settled, onSearch]);
  return (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={placeholder}
      leftSection={<MagnifyingGlassIcon />}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
      autoCapitalize="none"
      maxLength={100}
      w="100%"
      maw={420}
    />
  );
}
