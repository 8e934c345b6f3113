package io.stillhouse.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Tasks run in this process, so they see its static cache. */
@Tag("spark")
class TaskCacheTest {
  private static final List<String> CLOSED = new ArrayList<>();
  private static final List<String> LOADED = new ArrayList<>();
  private static TaskCache<String, String> cache;

  private final JavaSparkContext spark =
      JavaSparkContext.fromSparkContext(Tiny.spark().sparkContext());

  @BeforeEach
  void emptiesCache() {
    cache = new TaskCache<>(2);
    CLOSED.clear();
    LOADED.clear();
  }

  @Test
  void loadsValueOnceForAllTasks() {
    inTasks(List.of("a"), List.of("a"), List.of("a"));

    assertThat(LOADED).containsExactly("a");
  }

  @Test
  void closesValueUsedLeastRecently() {
    inTasks(List.of("a"), List.of("b"), List.of("a"), List.of("c"));

    assertThat(CLOSED).containsExactly("b");
    assertThat(cache.size()).isEqualTo(2);
  }

  @Test
  void keepsValuesOfRunningTaskBeyondItsCapacity() {
    assertThat(
            spark
                .parallelize(List.of(1), 1)
                .map(
                    task -> {
                      get("a");
                      get("b");
                      get("c");
                      return CLOSED.size();
                    })
                .collect())
        .containsExactly(0);
    assertThat(CLOSED).hasSize(1); // whichever the ending task releases first
    assertThat(cache.size()).isEqualTo(2);
  }

  @Test
  void keepsValuesThatAreUsedOutsideOfTasks() throws IOException {
    get("a");
    inTasks(List.of("b"), List.of("c"), List.of("d"));

    assertThat(CLOSED).containsExactly("b", "c");
  }

  /** Runs tasks one after the other, each of which requests some values. */
  @SafeVarargs
  private void inTasks(List<String>... keys) {
    for (List<String> ofTask : keys) {
      spark
          .parallelize(IntStream.range(0, 1).boxed().toList(), 1)
          .foreach(
              task -> {
                for (String key : ofTask) {
                  get(key);
                }
              });
    }
  }

  private static String get(String key) throws IOException {
    return cache.get(
        key,
        () -> {
          LOADED.add(key);
          return new TaskCache.Loaded<>(key, () -> CLOSED.add(key));
        });
  }
}
