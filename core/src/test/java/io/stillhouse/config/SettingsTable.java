package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The settings table of conf/README.md, made from {@link Options} and {@link CommandKeys}. {@link
 * #main} writes it into the file; {@code ReadmeTest} compares the two.
 */
final class SettingsTable {
  static final Path README = Path.of("../conf/README.md");

  private static final String BEGIN = "<!-- settings: begin -->\n";
  private static final String END = "<!-- settings: end -->";

  private SettingsTable() {}

  /**
   * Rewrites the table.
   *
   * @param args the path of conf/README.md
   */
  public static void main(String[] args) throws IOException {
    Path readme = Path.of(args[0]);
    Files.writeString(readme, in(Files.readString(readme)));
  }

  /** Returns a README with the current table. */
  static String in(String readme) {
    int begin = readme.indexOf(BEGIN) + BEGIN.length();
    int end = readme.indexOf(END);
    if (begin < BEGIN.length() || end < begin) {
      throw new IllegalStateException("conf/README.md has no settings table");
    }
    return readme.substring(0, begin) + "\n" + text() + "\n" + readme.substring(end);
  }

  private static String text() {
    Map<String, List<Option<?>>> groups = new LinkedHashMap<>();
    for (Option<?> option : Options.ALL) {
      groups.computeIfAbsent(option.group(), group -> new ArrayList<>()).add(option);
    }
    return groups.entrySet().stream()
        .map(group -> format("### %s\n\n%s", group.getKey(), table(group.getValue())))
        .collect(Collectors.joining("\n"));
  }

  private static String table(List<Option<?>> options) {
    return "| key | default | meaning | value | commands |\n| --- | --- | --- | --- | --- |\n"
        + options.stream().map(SettingsTable::row).collect(Collectors.joining());
  }

  private static String row(Option<?> option) {
    return format(
        "| `%s` | %s | %s | %s | %s |\n",
        option.key(),
        shown(option.defaultValue()),
        escaped(option.doc()),
        escaped(option.ruleInWords()),
        CommandKeys.commandsReading(option).stream()
            .map(CommandKeys::command)
            .collect(Collectors.joining(", ")));
  }

  private static String shown(String defaultValue) {
    return defaultValue == null
        ? "*none*"
        : defaultValue.isEmpty() ? "*empty*" : "`" + defaultValue + "`";
  }

  /** Escapes characters that Markdown interprets. */
  private static String escaped(String text) {
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;");
  }
}
