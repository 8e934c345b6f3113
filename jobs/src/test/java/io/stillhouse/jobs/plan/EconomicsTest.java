package io.stillhouse.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

/** Values worked by hand: 1e9 tokens, a teacher of 4,000 tokens a second, a student of 8,000. */
class EconomicsTest {
  private static final double TOKENS = 1e9;

  private static Economics of(
      int students, double passes, double bytes, double read, double month) {
    return new Economics(
        new Economics.Work(TOKENS, students, passes),
        new Economics.Teacher(4000, TOKENS / 4000, 0),
        new Economics.Student(passes * TOKENS / 8000, 0, bytes, read),
        TOKENS * bytes,
        new Economics.Prices(0.68, month, 1));
  }

  @Test
  void computesHoursOfTeacherPass() {
    // 1e9 / 4000 / 3600 = 69.44 hours, which cost 47.22 at 0.68 per hour
    Economics once = of(1, 1, 0, 1e9, 0);
    assertThat(once.cacheHours()).isCloseTo(69.444, within(1e-3));
    assertThat(once.cachedTrainHours()).isCloseTo(34.722, within(1e-3));
    assertThat(once.onlineHours()).isCloseTo(104.167, within(1e-3));
    assertThat(once.cachedCost()).isCloseTo(70.833, within(1e-3));
  }

  @Test
  void breaksEvenAtOnePlusStorageOverTeacherPass() {
    // Five float16 states take 7,680 bytes per token, 23 per month: 1 + 176.64 / 47.22. Reading
    // 7,680 B at 1e12 B/s adds 0.003 % of the teacher's 250 microseconds.
    Economics five = of(5, 1, 7680, 1e12, 23);
    assertThat(five.storageCost()).isCloseTo(176.64, within(1e-6));
    assertThat(five.breakEvenReads()).isCloseTo(4.7408, within(1e-3));
    assertThat(five.cacheIsCheaper()).isTrue();
    assertThat(five.verdict()).startsWith("cache: ");
    assertThat(of(4, 1, 7680, 1e12, 23).cacheIsCheaper()).isFalse();
    assertThat(of(1, 5, 7680, 1e12, 23).cacheIsCheaper()).isTrue();
  }

  @Test
  void oneReadNeverPaysForStorage() {
    Economics once = of(1, 1, 1422, 1e9, 23);
    assertThat(once.cacheIsCheaper()).isFalse();
    assertThat(once.verdict())
        .startsWith("do not cache: ")
        .contains("each token is read 1.00 times, break-even is at 1.7");
  }

  @Test
  void stepsThatEndEarlyReadLess() {
    Economics half = of(1, 0.5, 0, 1e9, 0);
    assertThat(half.work().reads()).isEqualTo(0.5);
    assertThat(half.onlineHours()).isCloseTo(52.083, within(1e-3));
    assertThat(half.cacheIsCheaper()).isFalse();
  }

  @Test
  void neverBreaksEvenIfReadingIsSlowerThanTeacher() {
    // The teacher takes 250 microseconds per token; 7,680 bytes at 10 MB/s take 768.
    Economics slow = of(9, 1, 7680, 1e7, 0);
    assertThat(slow.breakEvenReads()).isInfinite();
    assertThat(slow.breakEvenBytesPerToken()).isCloseTo(2500, within(1e-6));
    assertThat(slow.limit()).isEqualTo("read rate");
    assertThat(slow.verdict())
        .contains("reading 7,680 bytes per token takes longer than running the teacher");
  }

  @Test
  void hoursAndCostIncludeStartup() {
    Economics none = of(2, 1, 0, 1e9, 0);
    Economics some =
        new Economics(
            none.work(),
            new Economics.Teacher(4000, TOKENS / 4000, 3600),
            new Economics.Student(TOKENS / 8000, 1800, 0, 1e9),
            0,
            none.prices());
    assertThat(some.cacheHours() - none.cacheHours()).isCloseTo(1, within(1e-9));
    assertThat(some.cachedTrainHours() - none.cachedTrainHours()).isCloseTo(1, within(1e-9));
    assertThat(some.cachedCost() - none.cachedCost()).isCloseTo(2 * 0.68, within(1e-9));
    assertThat(some.onlineCost() - none.onlineCost()).isCloseTo(0.68, within(1e-9));
  }

  @Test
  void reportsLargestCost() {
    assertThat(of(1, 1, 0, 1e9, 0).limit()).isEqualTo("teacher compute");
    assertThat(of(3, 1, 0, 1e9, 0).limit()).isEqualTo("student compute");
    assertThat(of(1, 1, 7680, 1e12, 23).limit()).isEqualTo("storage price");
  }
}
