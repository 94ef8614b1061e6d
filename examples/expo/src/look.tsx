// What all screens share: colors of the system's theme, a screen, a labelled input and a button.

import type { ReactNode } from 'react';
import { Pressable, StyleSheet, Text, TextInput, View, useColorScheme, type TextInputProps } from 'react-native';
import { SafeAreaView } from 'react-native-safe-area-context';

const LIGHT = { paper: '#e9efe5', sheet: '#fcfdf9', ink: '#17211b', edge: '#74867a', accent: '#0c5a43', onAccent: '#ffffff', danger: '#a3301c' };
const DARK = { paper: '#0f1a16', sheet: '#172521', ink: '#e8f0e6', edge: '#7b9083', accent: '#f0d264', onAccent: '#1d1a0c', danger: '#ffa391' };

export const useColors = () => (useColorScheme() === 'dark' ? DARK : LIGHT);

export function Screen({ title, children }: { title: string; children: ReactNode }) {
  const { paper, ink } = useColors();
  return (
    <SafeAreaView style={[styles.screen, { backgroundColor: paper }]}>
      <Text accessibilityRole="header" style={[styles.title, { color: ink }]}>
        {title}
      </Text>
      {children}
    </SafeAreaView>
  );
}

export function Field({ label, error, ...input }: TextInputProps & { label: string; error: string | undefined }) {
  const { sheet, ink, edge, danger } = useColors();
  return (
    <View>
      <Text style={[styles.label, { color: ink }]}>{label}</Text>
      <TextInput
        {...input}
        accessibilityLabel={error ? `${label}. ${error}` : label}
        style={[styles.input, { backgroundColor: sheet, color: ink, borderColor: error ? danger : edge }]}
      />
      <Problem text={error} />
    </View>
  );
}

/** Screen readers announce it. */
export function Problem({ text }: { text: string | undefined }) {
  const { danger } = useColors();
  return text ? (
    <Text accessibilityRole="alert" accessibilityLiveRegion="polite" style={[styles.text, { color: danger }]}>
      {text}
    </Text>
  ) : null;
}

export function Button({ label, onPress, isPending = false }: { label: string; onPress: () => void; isPending?: boolean }) {
  const { accent, onAccent } = useColors();
  return (
    <Pressable
      accessibilityRole="button"
      disabled={isPending}
      onPress={onPress}
      style={[styles.button, { backgroundColor: accent, opacity: isPending ? 0.6 : 1 }]}
    >
      <Text style={[styles.label, { color: onAccent }]}>{label}</Text>
    </Pressable>
  );
}

export const styles = StyleSheet.create({
  screen: { flex: 1, padding: 16, gap: 16 },
  title: { fontSize: 28, fontWeight: '700' },
  label: { fontSize: 16, fontWeight: '600' },
  text: { fontSize: 16 },
  input: { minHeight: 48, paddingHorizontal: 12, borderWidth: 1, borderRadius: 8, fontSize: 16 },
  button: { minHeight: 48, paddingHorizontal: 16, borderRadius: 8, alignItems: 'center', justifyContent: 'center' },
  row: { minHeight: 48, flexDirection: 'row', alignItems: 'center', gap: 12 },
});
