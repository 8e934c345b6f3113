package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.jobs.cache.layout.LayoutFixtures.hidden;
import static io.stillhouse.jobs.cache.layout.LayoutFixtures.inputs;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ManifestLogTest {
  @TempDir private java.nio.file.Path directory;

  private final Storage storage = new Storage(new Configuration());
  private Path cache;

  @BeforeEach
  void namesCache() {
    cache = new Path(directory.toUri());
  }

  @Test
  void readsCacheWithoutEntriesAsEmpty() throws IOException {
    assertThat(read().state().files()).isEmpty();
    assertThat(read().entries()).isZero();
  }

  @Test
  void readsEntriesInOrder() throws IOException {
    ManifestLog manifest = read();
    manifest.append(added(inputs(0), inputs(1)));
    manifest.append(added(hidden(0)));

    assertThat(read().state().files()).containsExactly(inputs(0), inputs(1), hidden(0));
  }

  @Test
  void keepsStateOfItsOwnEntries() throws IOException {
    ManifestLog manifest = read();
    manifest.append(added(inputs(0)));

    assertThat(manifest.state().files()).containsExactly(inputs(0));
    assertThat(manifest.entries()).isEqualTo(1);
  }

  static List<ManifestChange> changes() {
    return List.of(
        new ManifestChange.PlanAdded(LayoutFixtures.plan(2)),
        new ManifestChange.PartAdded(LayoutFixtures.part(2, 1)),
        new ManifestChange.TeacherAdded(LayoutFixtures.teacher("large")),
        added(hidden(0)),
        new ManifestChange.FilesAdded(
            List.of(hidden(0)), List.of(new InvalidRow(0, "a", "not finite", "large"))),
        new ManifestChange.Revoked(List.of("hidden/a.parquet"), List.of(3)),
        new ManifestChange.TargetsDropped(List.of(0, 1), List.of("small")));
  }

  @ParameterizedTest
  @MethodSource("changes")
  void readsBackEachChange(ManifestChange change) {
    ManifestEntry entry = ManifestEntry.parse(ManifestEntry.of(change, 7, "ab").toJson());

    assertThat(entry).isNotNull();
    assertThat(entry.sequence).isEqualTo(7);
    assertThat(entry.previous).isEqualTo("ab");
    assertThat(entry.changes()).containsExactly(change);
  }

  @Test
  void omitsMembersOfOtherChanges() {
    String json =
        ManifestEntry.of(new ManifestChange.Revoked(List.of("a"), List.of()), 3, "ab").toJson();

    assertThat(JsonParser.parseString(json).getAsJsonObject().keySet())
        .containsExactly("sequence", "previous", "revoked", "lost", "sha256");
  }

  @Test
  void writesInputsOfPlanAsFiles() {
    ManifestChange change = new ManifestChange.PlanAdded(LayoutFixtures.plan(2));
    JsonObject json =
        JsonParser.parseString(ManifestEntry.of(change, 0, "").toJson()).getAsJsonObject();

    assertThat(json.keySet()).containsExactly("sequence", "previous", "plan", "files", "sha256");
    assertThat(json.get("files"))
        .isEqualTo(json.getAsJsonObject("plan").getAsJsonObject("part").get("inputs"));
  }

  @Test
  void readsEntryThatCombinesChanges() throws IOException {
    write(
        0,
        """
        {
          "sequence": 0,
          "previous": "",
          "revoked": [],
          "dropped": {"shards": [4], "students": ["small"]}
        }
        """);

    assertThat(read().state().dropped()).containsOnlyKeys(4);
  }

  @Test
  void rejectsSecondWriter() throws IOException {
    ManifestLog one = read();
    ManifestLog other = read();
    one.append(added(inputs(0)));

    assertThatThrownBy(() -> other.append(added(inputs(1))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("another run has written")
        .hasMessageContaining("00000000.json")
        .hasMessageContaining("one cache command at a time");
    assertThat(other.state().files()).isEmpty();
    assertThat(read().state().files()).isEqualTo(one.state().files());
  }

  @Test
  void followsAnotherWriter() throws IOException {
    ManifestLog writer = read();
    ManifestLog reader = read();
    writer.append(added(inputs(0)));
    writer.append(added(hidden(0)));
    CacheState before = reader.state();
    reader.follow();

    assertThat(before.files()).isEmpty();
    assertThat(reader.state().files()).containsExactly(inputs(0), hidden(0));
  }

  @Test
  void refusesToFollowDamagedEntry() throws IOException {
    ManifestLog writer = read();
    ManifestLog reader = read();
    writer.append(added(inputs(0)));
    writer.append(added(hidden(0)));
    Files.writeString(entry(1), "{}");

    assertThatThrownBy(reader::follow)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("00000001.json' is damaged");
    assertThat(reader.state().files()).containsExactly(inputs(0));
  }

  @Test
  void rejectsMissingEntry() throws IOException {
    ManifestLog manifest = read();
    manifest.append(added(inputs(0)));
    manifest.append(added(inputs(1)));
    Files.delete(entry(0));

    assertThatThrownBy(this::read)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("00000000.json' is damaged, or the entry before it is missing");
  }

  @Test
  void rejectsEntryOfAnotherChain() throws IOException {
    ManifestLog manifest = read();
    manifest.append(added(inputs(0)));
    write(1, ManifestEntry.of(added(inputs(1)), 1, "another"));

    assertThatThrownBy(this::read)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("00000001.json' is damaged");
  }

  @Test
  void rejectsTruncatedEntry() throws IOException {
    read().append(added(inputs(0)));
    String whole = Files.readString(entry(0));
    for (String cut : List.of("", whole.substring(0, whole.length() / 2))) {
      Files.writeString(entry(0), cut);
      assertThatThrownBy(this::read)
          .as(cut)
          .isInstanceOf(StillhouseException.class)
          .hasMessageContaining("00000000.json' is damaged")
          .hasMessageContaining("then cache again");
    }
  }

  @Test
  void surveySkipsDamagedEntries() throws IOException {
    ManifestLog manifest = read();
    manifest.append(added(inputs(0)));
    manifest.append(added(inputs(1)));
    manifest.append(added(inputs(2)));
    Files.writeString(entry(1), "{}");
    ManifestLog survey = ManifestLog.readUndamaged(storage, cache);

    assertThat(survey.state().files()).containsExactly(inputs(0), inputs(2));
    assertThat(survey.damagedEntries()).containsExactly(1);
    assertThat(survey.entries()).isEqualTo(3);
  }

  @Test
  void readsPastAbandonedDamagedEntry() throws IOException {
    ManifestLog manifest = read();
    manifest.append(added(inputs(0)));
    Files.writeString(entry(0), "{}");
    ManifestLog.readUndamaged(storage, cache)
        .append(new ManifestChange.Revoked(List.of(), List.of(0)));

    assertThat(read().state().files()).isEmpty();
    assertThat(read().damaged()).isEmpty();
  }

  @Test
  void ignoresAbandonedSoundEntry() throws IOException {
    ManifestLog manifest = read();
    manifest.append(added(inputs(0)));
    manifest.append(new ManifestChange.Revoked(List.of(), List.of(0)));

    assertThat(read().state().files()).isEmpty();
  }

  @Test
  void assignsFilesWithoutTeacherToFirstTeacher() throws IOException {
    write(
        0,
        """
        {
          "sequence": 0,
          "previous": "",
          "files": [
            {
              "shard": 0,
              "family": "hidden",
              "path": "hidden/shard-000000-3f2a9c01.parquet",
              "columns": ["id", "length", "hidden_03"],
              "size": {"rows": 3, "tokens": 21, "bytes": 1234},
              "hashes": {"chunks": [], "footer": "ab"}
            }
          ],
          "invalid": [{"shard": 0, "id": "a", "reason": "the teacher's output is not finite"}]
        }
        """);
    CacheState state = read().state();

    assertThat(state.has(0, "", Targets.hidden(3))).isTrue();
    assertThat(state.invalid(0, "")).containsOnlyKeys("a");
    assertThat(state.allTeachers()).containsExactly("");
  }

  private ManifestLog read() throws IOException {
    return ManifestLog.read(storage, cache);
  }

  private java.nio.file.Path entry(int number) {
    return directory.resolve(ManifestLog.entry(number));
  }

  private void write(int number, String json) throws IOException {
    Files.createDirectories(entry(number).getParent());
    Files.writeString(entry(number), Seal.seal(json));
  }

  private void write(int number, ManifestEntry entry) throws IOException {
    Files.writeString(entry(number), entry.toJson());
  }

  private static ManifestChange added(CacheFile... files) {
    return new ManifestChange.FilesAdded(List.of(files), List.of());
  }
}
