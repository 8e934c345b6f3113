package io.stillhouse.jobs.cli;

import io.stillhouse.config.CommandKeys;
import io.stillhouse.config.Option;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;

/**
 * The section of a command's help that lists its keys, with default, allowed values and meaning.
 */
final class KeyHelp {
  private static final String SECTION = "keys";
  private static final String INDENT = "      ";

  private KeyHelp() {}

  /** Adds the section to the help of a command that takes settings. */
  static void addTo(CommandLine command) {
    CommandKeys.of(command.getCommandName())
        .ifPresent(
            keys -> {
              List<String> sections = new ArrayList<>(command.getHelpSectionKeys());
              sections.add(SECTION);
              command.setHelpSectionKeys(sections);
              int width = command.getUsageHelpWidth();
              command.getHelpSectionMap().put(SECTION, help -> section(keys, width));
            });
  }

  private static String section(CommandKeys keys, int width) {
    StringBuilder text = new StringBuilder("\nKeys and their defaults:\n");
    keys.groups()
        .forEach(
            (group, options) -> {
              text.append('\n').append(group).append('\n');
              options.forEach(option -> text.append(entry(option, width)));
            });
    return text.toString();
  }

  private static String entry(Option<?> option, int width) {
    String value = option.defaultValue();
    String shown = value == null ? " (no default)" : "=" + value;
    String rule =
        option.ruleInWords().equals("text") ? "" : " Must be " + option.ruleInWords() + ".";
    return "  " + option.key() + shown + "\n" + wrapped(option.doc() + rule, width);
  }

  /** Returns indented lines of at most {@code width} characters. */
  static String wrapped(String text, int width) {
    StringBuilder lines = new StringBuilder();
    StringBuilder line = new StringBuilder(INDENT);
    for (String word : text.split(" ")) {
      if (line.length() > INDENT.length() && line.length() + word.length() >= width) {
        lines.append(line.toString().stripTrailing()).append('\n');
        line = new StringBuilder(INDENT);
      }
      line.append(word).append(' ');
    }
    return lines.append(line.toString().stripTrailing()).append('\n').toString();
  }
}
