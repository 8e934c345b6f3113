package io.stillhouse.jobs.cache.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class VerifyResultTest {
  private static final Fidelity.ColumnError FAITHFUL =
      new Fidelity.ColumnError(1e-6, 1e-6, 1e-5, 1e-6);
  private static final Fidelity.ColumnError UNFAITHFUL =
      new Fidelity.ColumnError(1e-2, 1e-6, 1e-5, 1e-2);

  @Test
  void cacheWithoutFaultsIsSound() {
    VerifyJob.Result result = result(List.of(), List.of(), Map.of("logits", FAITHFUL));

    assertThat(result.isSound()).isTrue();
    assertThat(result.lines())
        .containsExactly(
            "faithful: logits is 1.0e-06 from the live teacher; noise floor 1.0e-06, limit"
                + " 1.0e-05; 1.0e-06 from float32",
            "sound /cache: 4 files, 1,000 bytes, 12 rows");
  }

  @Test
  void damagedCacheIsUnsoundAndNeedsRecomputation() {
    VerifyJob.Result result = result(List.of("hidden/x (shard 1): cut"), List.of(), Map.of());

    assertThat(result.isSound()).isFalse();
    assertThat(result.lines())
        .containsExactly(
            "damaged: hidden/x (shard 1): cut",
            "NOT SOUND /cache: 4 files, 1,000 bytes, 12 rows",
            "run cache with the recipe again: it computes what is missing, and nothing else");
  }

  @Test
  void incompleteCacheIsUnsound() {
    assertThat(result(List.of(), List.of("logits in 2 shards"), Map.of()).isSound()).isFalse();
  }

  @Test
  void inaccurateCacheAdvisesComparisonWithAnother() {
    VerifyJob.Result result = result(List.of(), List.of(), Map.of("logits", UNFAITHFUL));

    assertThat(result.isSound()).isFalse();
    assertThat(result.lines().get(result.lines().size() - 1))
        .contains("the teacher now computes other numbers", "compare the two with diff");
  }

  @Test
  void droppedShardsAreReportedWithTheirReaders() {
    VerifyJob.Result result =
        new VerifyJob.Result(
            "/cache",
            new VerifyJob.Checked(4, 1000, 12),
            List.of(),
            List.of(),
            List.of(),
            Map.of(),
            new VerifyJob.Dropped(2, List.of("a", "b")));

    assertThat(result.lines()).contains("dropped: the targets of 2 shards, which a, b had read");
  }

  private static VerifyJob.Result result(
      List<String> damaged, List<String> missing, Map<String, Fidelity.ColumnError> fidelity) {
    return new VerifyJob.Result(
        "/cache",
        new VerifyJob.Checked(4, 1000, 12),
        damaged,
        missing,
        List.of(),
        fidelity,
        new VerifyJob.Dropped(0, List.of()));
  }
}
