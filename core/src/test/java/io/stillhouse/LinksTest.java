package io.stillhouse;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every relative link of every Markdown file names an existing file and heading. */
class LinksTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern LINK = Pattern.compile("!?\\[[^\\]]*\\]\\(([^)\\s]+)\\)");
  private static final Pattern HEADING = Pattern.compile("#{1,6} +(.*)");
  private static final Pattern CODE = Pattern.compile("(?ms)^```.*?^```|`[^`\\n]*`");

  static List<Path> documents() throws IOException {
    try (Stream<Path> files = Files.walk(ROOT)) {
      return files
          .filter(file -> file.toString().endsWith(".md"))
          .filter(file -> Stream.of("target", ".git", "out", "q").noneMatch(under(file)))
          .map(ROOT::relativize)
          .sorted()
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("documents")
  void everyRelativeLinkResolves(Path document) throws IOException {
    Path file = ROOT.resolve(document);
    List<String> broken = new ArrayList<>();
    Matcher link = LINK.matcher(CODE.matcher(Files.readString(file)).replaceAll("code"));
    while (link.find()) {
      String target = link.group(1);
      if (!target.matches("[a-z]+:.*") && !resolves(file, target)) {
        broken.add(target);
      }
    }

    assertThat(broken).as("broken links of %s", document).isEmpty();
  }

  private static java.util.function.Predicate<String> under(Path file) {
    return directory ->
        ROOT.relativize(file).startsWith(directory)
            || Stream.of("core", "jobs")
                .anyMatch(module -> ROOT.relativize(file).startsWith(Path.of(module, directory)));
  }

  private static boolean resolves(Path file, String target) throws IOException {
    int hash = target.indexOf('#');
    String path =
        URLDecoder.decode(hash < 0 ? target : target.substring(0, hash), StandardCharsets.UTF_8);
    Path linked = path.isEmpty() ? file : file.resolveSibling(path).normalize();
    return Files.exists(linked)
        && (hash < 0 || anchors(linked).contains(target.substring(hash + 1)));
  }

  /** Returns the anchors that GitHub gives to the headings of a file. */
  private static List<String> anchors(Path file) throws IOException {
    List<String> anchors = new ArrayList<>();
    Map<String, Integer> seen = new HashMap<>();
    boolean code = false;
    for (String line : Files.readAllLines(file)) {
      code ^= line.startsWith("```");
      Matcher heading = HEADING.matcher(line);
      if (!code && heading.matches()) {
        String anchor =
            heading
                .group(1)
                .strip()
                .toLowerCase(Locale.ROOT)
                .replaceAll("[^\\p{L}\\p{N} _-]", "")
                .replace(' ', '-');
        int times = seen.merge(anchor, 1, Integer::sum);
        anchors.add(times == 1 ? anchor : anchor + "-" + (times - 1));
      }
    }
    return anchors;
  }
}
