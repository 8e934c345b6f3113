package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;
import static io.stillhouse.jobs.cache.layout.LayoutFixtures.hidden;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Reads manifests with entries that were changed at random and sealed again. As in core's Fuzz, an
 * input depends on its number alone, and {@code -Dfuzz.inputs=100000} is the long form.
 */
class ManifestFuzzTest {
  private static final Pattern VALUE =
      Pattern.compile("-?\\d+(?:\\.\\d+)?|\"[^\"]*\"|true|false|null|\\{\\}|\\[\\]");
  private static final String[] VALUES = {
    "null", "true", "0", "-1", "1.5", "1e999", "2147483647", "2147483648", "9223372036854775808",
    "\"\"", "\"x\"", "[]", "{}", "[null]", "{\"a\":null}", "[[[[]]]]", "NaN", "\"../../x\""
  };

  @TempDir private java.nio.file.Path directory;

  private final Storage storage = new Storage(new Configuration());

  @Test
  void changedEntriesAreReadOrRejected() throws IOException {
    int inputs = Integer.getInteger("fuzz.inputs", 1000);
    int first = Integer.getInteger("fuzz.first", 0);
    Path cache = new Path(directory.toUri());
    ManifestLog log = ManifestLog.read(storage, cache);
    for (ManifestChange change : ManifestLogTest.changes()) {
      log.append(change);
    }
    log.append(new ManifestChange.FilesAdded(List.of(hidden(1)), List.of()));
    int entries = log.entries();
    int rejected = 0;
    long begin = System.nanoTime();
    for (int number = first; number < first + inputs; number++) {
      SplittableRandom random = new SplittableRandom(0x5eedL + number);
      java.nio.file.Path entry = directory.resolve(ManifestLog.entry(random.nextInt(entries)));
      String sound = Files.readString(entry);
      Files.writeString(entry, changed(sound, random));
      try {
        read(cache);
      } catch (StillhouseException e) {
        rejected++;
        assertThat(e.getMessage().length()).isLessThan(600);
      } catch (RuntimeException | Error e) {
        throw new AssertionError(format("input %d: %s", number, Files.readString(entry)), e);
      } finally {
        Files.writeString(entry, sound);
      }
    }
    System.out.printf(
        Locale.ROOT,
        "fuzz manifest: %,d inputs, %,d rejected, %,d read, %.1f s%n",
        inputs,
        rejected,
        inputs - rejected,
        (System.nanoTime() - begin) / 1e9);
    assertThat(rejected).isBetween(1, inputs - 1);
  }

  @Test
  void rejectsEntryWithNumberThatIsOutOfProportion() throws IOException {
    Path cache = new Path(directory.toUri());
    ManifestLog.read(storage, cache)
        .append(new ManifestChange.FilesAdded(List.of(hidden(0)), List.of()));
    java.nio.file.Path entry = directory.resolve(ManifestLog.entry(0));
    Files.copy(entry, entry.resolveSibling("99999999.json"));

    assertThatThrownBy(() -> ManifestLog.readUndamaged(storage, cache))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has entry 99999999.json, but only 2 entries");
  }

  private void read(Path cache) throws IOException {
    ManifestLog log = ManifestLog.readUndamaged(storage, cache);
    CacheState state = log.state();
    for (String teacher : state.allTeachers()) {
      state.columns(teacher);
      state.invalidRows(teacher);
      state.has(0, teacher, Targets.ID);
    }
    if (state.plan() != null) {
      state.plan().toJson();
    }
    log.requireUndamaged();
  }

  private static String changed(String sealed, SplittableRandom random) {
    if (random.nextInt(8) == 0) { // the seal is wrong
      byte[] bytes = sealed.getBytes(StandardCharsets.UTF_8);
      bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
      return new String(bytes, StandardCharsets.UTF_8);
    }
    int seal = sealed.lastIndexOf(",\n  \"sha256\"");
    String text = sealed.substring(0, seal) + "\n}";
    int changes = 1 + random.nextInt(3);
    for (int i = 0; i < changes; i++) {
      Matcher matcher = VALUE.matcher(text);
      if (matcher.find(random.nextInt(text.length())) || matcher.find(0)) {
        text =
            text.substring(0, matcher.start())
                + VALUES[random.nextInt(VALUES.length)]
                + text.substring(matcher.end());
      }
    }
    return Seal.seal(text);
  }
}
