import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';

export interface ChartProps {
  /** The earliest first. */
  days: { day: string; count: number }[];
  /** What a bar counts. */
  name: string;
  /** How a day is written. */
  nameOfDay: (day: string) => string;
}

const words = { fill: 'var(--mantine-color-dimmed)', fontSize: 12 };
const line = 'var(--mantine-color-default-border)';

/** Counts by day as bars. For the eye alone: the table beside it says the same. */
export function Chart({ days, name, nameOfDay }: ChartProps) {
  return (
    <ResponsiveContainer width="100%" height={260}>
      <BarChart data={days} margin={{ top: 8, right: 4, bottom: 0, left: 0 }} accessibilityLayer={false}>
        <CartesianGrid vertical={false} stroke={line} />
        <XAxis dataKey="day" tickFormatter={nameOfDay} tick={words} stroke={line} minTickGap={24} tickLine={false} />
        <YAxis
          allowDecimals={false}
          width={52}
          tick={words}
          stroke={line}
          tickLine={false}
          tickFormatter={(count: number) => count.toLocaleString()}
        />
        <Tooltip
          isAnimationActive={false}
          cursor={{ fill: 'var(--mantine-color-default-hover)' }}
          labelFormatter={(day) => (typeof day === 'string' ? nameOfDay(day) : '')}
          formatter={(count) => [Number(count).toLocaleString(), name]}
          contentStyle={{ background: 'var(--mantine-color-body)', border: `1px solid ${line}`, borderRadius: 8, fontSize: 13 }}
          labelStyle={{ color: 'var(--mantine-color-text)' }}
          itemStyle={{ color: 'var(--mantine-color-text)' }}
        />
        <Bar dataKey="count" name={name} fill="var(--mantine-primary-color-filled)" radius={[3, 3, 0, 0]} maxBarSize={40} />
      </BarChart>
    </ResponsiveContainer>
  );
}
