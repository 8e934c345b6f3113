package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.jobs.cache.layout.LayoutFixtures.file;
import static io.stillhouse.jobs.cache.layout.LayoutFixtures.hidden;
import static io.stillhouse.jobs.cache.layout.LayoutFixtures.inputs;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.util.List;
import org.junit.jupiter.api.Test;

class CacheStateTest {
  @Test
  void holdsNothingWithoutChanges() {
    assertThat(CacheState.EMPTY.plan()).isNull();
    assertThat(CacheState.EMPTY.files()).isEmpty();
    assertThat(CacheState.EMPTY.allTeachers()).containsExactly("");
    assertThat(CacheState.EMPTY.droppedBytes()).isZero();
  }

  @Test
  void doesNotModifyPreviousState() {
    CacheState before = state(added(inputs(0)));
    CacheState after = before.with(List.of(added(hidden(0))));

    assertThat(before.files()).containsExactly(inputs(0));
    assertThat(before.has(0, "", Targets.hidden(3))).isFalse();
    assertThat(after.files()).containsExactly(inputs(0), hidden(0));
  }

  @Test
  void planAddsItsInputs() {
    CacheState state = state(new ManifestChange.PlanAdded(LayoutFixtures.plan(2)));

    assertThat(state.plan()).isEqualTo(LayoutFixtures.plan(2));
    assertThat(state.files()).containsExactly(inputs(0), inputs(1));
    assertThat(state.inputs(1)).contains(inputs(1));
  }

  @Test
  void partAddsItsInputs() {
    CacheState state = state(new ManifestChange.PartAdded(LayoutFixtures.part(2, 1)));

    assertThat(state.parts()).containsExactly(LayoutFixtures.part(2, 1));
    assertThat(state.inputs(2)).contains(inputs(2));
  }

  @Test
  void sortsPartsByFirstShard() {
    CacheState state =
        state(
            new ManifestChange.PartAdded(LayoutFixtures.part(4, 1)),
            new ManifestChange.PartAdded(LayoutFixtures.part(2, 2)));

    assertThat(state.parts()).extracting(PlanPart::firstShard).containsExactly(2, 4);
  }

  @Test
  void listsFurtherTeachersAfterFirst() {
    CacheState state =
        state(
            new ManifestChange.TeacherAdded(LayoutFixtures.teacher("large")),
            new ManifestChange.TeacherAdded(LayoutFixtures.teacher("base")));

    assertThat(state.allTeachers()).containsExactly("", "base", "large");
    assertThat(state.teachers()).containsOnlyKeys("base", "large");
  }

  @Test
  void findsFileByShardTeacherAndColumn() {
    CacheState state =
        state(added(file(0, Family.HIDDEN, "hidden_01"), file(0, Family.HIDDEN, "hidden_03")));

    assertThat(state.find(0, "", Targets.hidden(3))).contains(file(0, Family.HIDDEN, "hidden_03"));
    assertThat(state.find(0, "", Targets.hidden(2))).isEmpty();
    assertThat(state.find(1, "", Targets.hidden(3))).isEmpty();
    assertThat(state.find(0, "large", Targets.hidden(3))).isEmpty();
  }

  @Test
  void separatesTargetsOfTeachers() {
    CacheFile large = file(0, Family.HIDDEN, "hidden_03", "large");
    CacheState state = state(added(hidden(0), large));

    assertThat(state.find(0, "large", Targets.hidden(3))).contains(large);
    assertThat(state.find(0, "", Targets.hidden(3))).contains(hidden(0));
  }

  @Test
  void readsColumnFromFirstFileThatHoldsIt() {
    CacheFile again = repeated(hidden(0));
    CacheState state = state(added(hidden(0)), added(again));

    assertThat(state.find(0, "", Targets.hidden(3))).contains(hidden(0));
    assertThat(state.files()).containsExactly(hidden(0), again);
  }

  @Test
  void listsTensorColumnsOfTeacher() {
    CacheState state =
        state(
            added(inputs(0), hidden(0), file(0, Family.HIDDEN, "hidden_01")),
            added(file(0, Family.LOGITS, "logits", "large")));

    assertThat(state.columns("")).containsExactly("hidden_01", "hidden_03");
    assertThat(state.columns("large")).containsExactly("logits");
  }

  @Test
  void countsInvalidRowsOfTeacher() {
    CacheState state =
        state(
            invalid(new InvalidRow(0, "a", "not finite", "")),
            invalid(new InvalidRow(0, "b", "not finite", "")),
            invalid(new InvalidRow(1, "c", "not finite", "")),
            invalid(new InvalidRow(0, "a", "not finite", "large")));

    assertThat(state.invalid(0, "")).containsOnlyKeys("a", "b");
    assertThat(state.invalidRows("")).isEqualTo(3);
    assertThat(state.invalidRows("large")).isEqualTo(1);
    assertThat(state.invalidRows("other")).isZero();
  }

  @Test
  void removesRevokedFile() {
    CacheState state =
        state(
            added(inputs(0), hidden(0)),
            new ManifestChange.Revoked(List.of(hidden(0).path(), "unknown"), List.of()));

    assertThat(state.files()).containsExactly(inputs(0));
    assertThat(state.has(0, "", Targets.hidden(3))).isFalse();
    assertThat(state.inputs(0)).isPresent();
  }

  @Test
  void countsRevokedFilesAndEntries() {
    CacheState state =
        CacheState.EMPTY.with(
            List.of(
                new ManifestChange.Revoked(List.of("a", "b"), List.of()),
                new ManifestChange.Revoked(List.of("c"), List.of(3))));
    assertThat(state.revoked()).isEqualTo(new CacheState.Revoked(3, 1));
  }

  @Test
  void laterFileReplacesRevokedOne() {
    CacheFile again = repeated(hidden(0));
    CacheState state =
        state(
            added(hidden(0)),
            new ManifestChange.Revoked(List.of(hidden(0).path()), List.of()),
            added(again));

    assertThat(state.find(0, "", Targets.hidden(3))).contains(again);
  }

  @Test
  void droppedShardKeepsOnlyItsInputs() {
    CacheState state = state(added(inputs(0), hidden(0), inputs(1), hidden(1)), dropped(0));

    assertThat(state.files()).containsExactly(inputs(0), inputs(1), hidden(1));
    assertThat(state.isDropped(0)).isTrue();
    assertThat(state.isDropped(1)).isFalse();
    assertThat(state.droppedBytes()).isEqualTo(hidden(0).size().bytes());
    assertThat(state.dropped().get(0).students()).containsExactly("small");
  }

  @Test
  void ignoresTargetsOfDroppedShard() {
    CacheState state = state(dropped(0), added(inputs(0), hidden(0)));

    assertThat(state.files()).containsExactly(inputs(0));
    assertThat(state.droppedBytes()).isZero();
  }

  @Test
  void shardWithAllColumnsOfWindowIsFinished() {
    Window window = new Window(3, List.of("hidden_01", "hidden_03"));
    CacheState half = state(added(hidden(0)));
    CacheState whole = half.with(List.of(added(file(0, Family.HIDDEN, "hidden_01"))));

    assertThat(half.isFinished(0, window)).isFalse();
    assertThat(whole.isFinished(0, window)).isTrue();
  }

  @Test
  void droppedShardIsFinished() {
    assertThat(state(dropped(0)).isFinished(0, new Window(3, List.of("hidden_03")))).isTrue();
  }

  @Test
  void returnedCollectionsAreUnmodifiable() {
    CacheState state = state(dropped(0));

    assertThatThrownBy(() -> state.dropped().clear())
        .isInstanceOf(UnsupportedOperationException.class);
  }

  private static CacheState state(ManifestChange... changes) {
    return CacheState.EMPTY.with(List.of(changes));
  }

  private static ManifestChange added(CacheFile... files) {
    return new ManifestChange.FilesAdded(List.of(files), List.of());
  }

  private static ManifestChange invalid(InvalidRow row) {
    return new ManifestChange.FilesAdded(List.of(), List.of(row));
  }

  private static ManifestChange dropped(int shard) {
    return new ManifestChange.TargetsDropped(List.of(shard), List.of("small"));
  }

  /** Returns a file with the same columns under another path. */
  private static CacheFile repeated(CacheFile file) {
    return new CacheFile(
        file.shard(),
        file.family(),
        file.path() + "-again",
        file.columns(),
        file.size(),
        file.hashes(),
        file.teacher());
  }
}
