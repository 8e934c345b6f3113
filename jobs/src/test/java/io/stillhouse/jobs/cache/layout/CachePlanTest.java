package io.stillhouse.jobs.cache.layout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;

class CachePlanTest {
  private static final Path CACHE = new Path("/cache");

  @Test
  void readsBackItsJson() {
    CachePlan plan = LayoutFixtures.plan(2);

    assertThat(CachePlan.parse(plan.toJson())).isEqualTo(plan);
  }

  @Test
  void readsDamagedJsonAsNull() {
    assertThat(CachePlan.parse(LayoutFixtures.plan(2).toJson().replace("keys0", "keys9"))).isNull();
  }

  @Test
  void concatenatesParts() {
    CachePlan grown =
        LayoutFixtures.plan(2)
            .plus(List.of(LayoutFixtures.part(3, 1), LayoutFixtures.part(2, 1)), CACHE);

    assertThat(grown.shards()).extracting(PlanPart.Shard::shard).containsExactly(0, 1, 2, 3);
    assertThat(grown.inputs()).hasSize(4);
    assertThat(grown.corpusFiles())
        .extracting(CorpusFile::name)
        .containsExactly("rows-0.tsv", "rows-2.tsv", "rows-3.tsv");
  }

  @Test
  void addsCountsOfParts() {
    CachePlan grown = LayoutFixtures.plan(2).plus(List.of(LayoutFixtures.part(2, 1)), CACHE);

    assertThat(grown.corpus()).isEqualTo(new PlanPart.Counts(9, 63, 2, Map.of("empty", 3L)));
  }

  @Test
  void addingPartUpdatesFingerprintOfCorpus() {
    CachePlan plan = LayoutFixtures.plan(2);
    CachePlan grown = plan.plus(List.of(LayoutFixtures.part(2, 1)), CACHE);

    assertThat(grown.fingerprints().get(Fingerprints.CORPUS))
        .isEqualTo(CorpusFile.combined("ab", LayoutFixtures.part(2, 1).corpusFiles()));
    assertThat(grown.fingerprints()).containsEntry("corpus.max-length", "40");
  }

  @Test
  void rejectsGapBetweenParts() {
    assertThatThrownBy(() -> LayoutFixtures.plan(2).plus(List.of(LayoutFixtures.part(4, 1)), CACHE))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the plan of cache '/cache' lacks shards 2..3");
  }

  @Test
  void rejectsFilesOfUnknownShards() {
    CacheState state =
        CacheState.EMPTY.with(List.of(new ManifestChange.PartAdded(LayoutFixtures.part(2, 1))));

    assertThatThrownBy(() -> LayoutFixtures.plan(2).requireAllShards(CACHE, state))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("files of more shards than the 2 in its plan");
  }

  @Test
  void additionalTeacherHasItsOwnFingerprints() {
    CachePlan plan = LayoutFixtures.plan(2).of(LayoutFixtures.teacher("large"));

    assertThat(plan.fingerprints())
        .containsEntry(Fingerprints.TEACHER, "ef")
        .containsEntry("corpus.max-length", "40");
    assertThat(plan.teacherFiles()).containsEntry("config.json", "ef");
  }

  @Test
  void rejectsDifferentVersion() {
    CachePlan plan = LayoutFixtures.plan(2);
    CachePlan old = new CachePlan(3, plan.fingerprints(), plan.part(), plan.teacherFiles(), null);

    assertThatThrownBy(() -> old.requireVersion(CACHE))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("cache '/cache' has format version 3");
  }

  @Test
  void acceptsDifferentCorpusWithSameFingerprints() {
    assertThatCode(
            () ->
                LayoutFixtures.plan(2)
                    .requireSame(
                        CACHE, Map.of(Fingerprints.CORPUS, "cd", "corpus.max-length", "40")))
        .doesNotThrowAnyException();
  }

  @Test
  void reportsEveryDifferentFingerprint() {
    assertThatThrownBy(
            () ->
                LayoutFixtures.plan(2)
                    .requireSame(CACHE, Map.of("corpus.max-length", "20", "cache.seed", "7")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "cache '/cache' was built with corpus.max-length = 40, but this recipe has 20; use the"
                + " same value, or another cache.path")
        .hasMessageContaining("built with cache.seed = (unset), but this recipe has 7");
  }
}
