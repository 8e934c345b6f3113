package io.stillhouse.jobs.corpus.read;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.CorpusSpec.Format;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * What the start of a text file tells.
 *
 * @param file the URI of the file
 * @param columns the fields of the first record of CSV and TSV, or the keys of the first objects of
 *     JSON; empty if there are none
 * @param problem why no record of the file can be read, and what to do; null if they can
 */
public record FileHead(String file, List<String> columns, @Nullable String problem)
    implements Serializable {
  private static final int BYTES = 4096;
  private static final int OBJECTS = 20;
  private static final int MOST_KEYS = 100;

  /** Patterns of the first bytes of files that are not text, and what such a file is. */
  private static final Map<Pattern, String> KNOWN =
      Map.of(
          known("PAR1"), "a Parquet file; set corpus.format=parquet",
          known("ORC.*\0"), "an ORC file; set corpus.format=orc",
          known("PK\3\4"), "a zip archive or a spreadsheet; unpack it, or save it as CSV",
          known("\u001F\u008B"), "compressed with gzip; give it a name that ends in .gz",
          known("BZh[1-9]1AY&SY"), "compressed with bzip2; give it a name that ends in .bz2",
          known("[(]\u00B5/\u00FD"), "compressed with Zstandard; give it a name that ends in .zst",
          known("SQLite format 3"), "a SQLite database; save the table as CSV");

  private record Mark(String encoding, String bytes) {}

  /** Byte order marks. That of UTF-32LE starts with that of UTF-16LE. */
  private static final List<Mark> MARKS =
      List.of(
          new Mark("UTF-8", "\u00EF\u00BB\u00BF"),
          new Mark("UTF-32", "\u0000\u0000\u00FE\u00FF"),
          new Mark("UTF-32", "\u00FF\u00FE\u0000\u0000"),
          new Mark("UTF-16BE", "\u00FE\u00FF"),
          new Mark("UTF-16LE", "\u00FF\u00FE"));

  private static Pattern known(String start) {
    return Pattern.compile(start, Pattern.DOTALL);
  }

  /** Reads the start of a file. */
  public static FileHead of(FileRange file, TextLayout layout, Configuration hadoop) {
    Path path = file.path();
    try {
      String first = first(path, hadoop);
      String problem = problem(path, first, layout.charset());
      if (problem == null && layout.format() == Format.JSON) {
        problem = notLines(path, first.replaceFirst("^\u00EF\u00BB\u00BF", "").trim());
      }
      if (problem != null) {
        return new FileHead(file.block().file(), List.of(), problem);
      }
      return switch (layout.format()) {
        case CSV -> csv(file, layout, hadoop);
        case TSV -> tsv(file, layout, hadoop);
        case JSON -> json(file, layout, hadoop);
        default -> new FileHead(file.block().file(), List.of(), null);
      };
    } catch (IOException | RuntimeException e) {
      RuntimeException explained = Unreadable.explained(path, e, hadoop);
      if (explained instanceof StillhouseException mistake) {
        return new FileHead(file.block().file(), List.of(), mistake.getMessage());
      }
      throw explained;
    }
  }

  /** Returns the first bytes, one to a character. */
  private static String first(Path path, Configuration hadoop) throws IOException {
    try (InputStream in = TextStreams.open(path, hadoop)) {
      return new String(in.readNBytes(BYTES), StandardCharsets.ISO_8859_1);
    }
  }

  private static @Nullable String problem(Path path, String bytes, Charset charset) {
    for (Map.Entry<Pattern, String> known : KNOWN.entrySet()) {
      if (known.getKey().matcher(bytes).lookingAt()) {
        return format("the file '%s' of the corpus is %s", path, known.getValue());
      }
    }
    boolean wide = Encoding.isWide(charset);
    for (Mark mark : MARKS) {
      if (bytes.startsWith(mark.bytes())) {
        String name = charset.name().replace("X-", "");
        return name.startsWith(mark.encoding()) || mark.encoding().startsWith(name)
            ? null
            : format(
                "the file '%s' of the corpus starts with the byte order mark of %s, but"
                    + " corpus.encoding is %s; set corpus.encoding=%s",
                path, mark.encoding(), charset, mark.encoding().replaceFirst("[BL]E$", ""));
      }
    }
    long zeros = bytes.chars().filter(c -> c == 0).count();
    if (!wide && 4 * zeros >= bytes.length() && zeros > 0) {
      return format(
          "%d of the first %d bytes of the file '%s' of the corpus are 0: it is not text, or its"
              + " encoding is UTF-16; set corpus.encoding=%s if it is UTF-16",
          zeros, bytes.length(), path, endian(bytes));
    }
    if (charset.name().equals("UTF-16") && zeros > 0 && !endian(bytes).equals("UTF-16BE")) {
      return format(
          "the file '%s' of the corpus has no byte order mark, but corpus.encoding is UTF-16; set"
              + " corpus.encoding=UTF-16LE",
          path);
    }
    return null;
  }

  /** Returns the kind of UTF-16 in which most characters are ASCII. */
  private static String endian(String bytes) {
    int odd = 0;
    int even = 0;
    for (int at = 0; at < bytes.length(); at++) {
      if (bytes.charAt(at) == 0) {
        odd += at % 2;
        even += 1 - at % 2;
      }
    }
    return odd > even ? "UTF-16LE" : "UTF-16BE";
  }

  private static FileHead csv(FileRange file, TextLayout layout, Configuration hadoop)
      throws IOException {
    try (CsvParser parser =
        new CsvParser(new StrictDecoder(TextStreams.open(file.path(), hadoop), layout.charset()))) {
      List<String> fields = new ArrayList<>();
      if (parser.next()) {
        String problem = parser.problem();
        if (problem != null) {
          return brokenHeader(file, problem.isEmpty() ? null : problem, layout);
        }
        for (int field = 0; field < parser.count(); field++) {
          String name = parser.field(field);
          fields.add(name == null ? "" : name);
        }
      }
      return new FileHead(file.block().file(), named(fields, layout), null);
    }
  }

  private static FileHead tsv(FileRange file, TextLayout layout, Configuration hadoop)
      throws IOException {
    try (Lines lines = Lines.open(file, layout.charset(), hadoop)) {
      List<String> fields = new ArrayList<>();
      while (fields.isEmpty() && lines.next()) {
        String line = lines.text();
        if (line == null) {
          return brokenHeader(file, null, layout);
        }
        if (!TextRows.isBlankTsv(line)) {
          fields.addAll(List.of(line.split("\t", -1)));
        }
      }
      return new FileHead(file.block().file(), named(fields, layout), null);
    }
  }

  /** Names columns without a name as Spark does: {@code _c} and their index. */
  private static List<String> named(List<String> fields, TextLayout layout) {
    if (layout.header()) {
      for (int field = 0; field < fields.size(); field++) {
        if (fields.get(field).isEmpty()) {
          fields.set(field, "_c" + field);
        }
      }
    }
    return fields;
  }

  private static FileHead brokenHeader(
      FileRange file, @Nullable String problem, TextLayout layout) {
    String what = layout.header() ? "header" : "first record";
    return new FileHead(
        file.block().file(),
        List.of(),
        problem == null
            ? format(
                "the %s of '%s' is %s; set corpus.encoding to the encoding of the file, such as"
                    + " ISO-8859-1 or windows-1252",
                what, file.path(), Encoding.problem(layout.charset()))
            : format("the %s of '%s' has %s; correct it", what, file.path(), problem));
  }

  private static FileHead json(FileRange file, TextLayout layout, Configuration hadoop)
      throws IOException {
    List<String> keys = new ArrayList<>();
    try (Lines lines = Lines.open(file, layout.charset(), hadoop)) {
      for (int objects = 0; objects < OBJECTS && keys.size() < MOST_KEYS && lines.next(); ) {
        String line = lines.text();
        String trimmed = line == null ? "" : line.trim();
        if (!trimmed.isEmpty()) {
          String problem = objects == 0 ? notLines(file.path(), trimmed) : null;
          if (problem != null) {
            return new FileHead(file.block().file(), List.of(), problem);
          }
          JsonParsing.addKeys(trimmed, keys);
          objects++;
        }
      }
    }
    return new FileHead(file.block().file(), keys, null);
  }

  private static @Nullable String notLines(Path path, String firstLine) {
    if (firstLine.startsWith("[")) {
      return format(
          "the file '%s' of the corpus starts with '[': it is a JSON array, not one object per"
              + " line; convert it, such as with jq -c '.[]' FILE > rows.jsonl",
          path);
    }
    if (firstLine.equals("{")) {
      return format(
          "the file '%s' of the corpus is JSON with line breaks inside its objects, not one object"
              + " per line; convert it, such as with jq -c . FILE > rows.jsonl",
          path);
    }
    return null;
  }
}
