package io.stillhouse.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

/** Values worked by hand. */
class EconomicsTest {
  private static Economics of(double reads, double bytesPerToken, double read, double month) {
    return new Economics(
        1e9,
        reads,
        new Economics.Rates(4000, 8000, read),
        1e9 * bytesPerToken,
        new Economics.Prices(0.68, month, 1));
  }

  @Test
  void aTeachersPassOfABillionTokensAtFourThousandASecond() {
    // 1e9 / 4000 / 3600 = 69.44 h, at 0.68 an hour 47.22
    assertThat(of(1, 0, 1e9, 0).teacherHours()).isCloseTo(69.444, within(1e-3));
    assertThat(of(1, 0, 1e9, 0).teacherHours() * 0.68).isCloseTo(47.22, within(0.01));
  }

  @Test
  void breaksEvenAtOnePlusStorageOverTheTeachersPass() {
    // five fp16 states: 7,680 bytes a token, 1e9 tokens, 23 a month: 1 + 176.64 / 47.22
    assertThat(of(1, 7680, 1e9, 23).storageCost()).isCloseTo(176.64, within(1e-6));
    assertThat(of(1, 7680, 1e9, 23).breakEvenReads()).isCloseTo(4.7406, within(1e-3));
    assertThat(of(4, 7680, 1e9, 23).cacheIsCheaper()).isFalse();
    assertThat(of(5, 7680, 1e9, 23).cacheIsCheaper()).isTrue();
  }

  @Test
  void oneReadNeverPaysForStorage() {
    assertThat(of(1, 1422, 1e9, 23).cacheIsCheaper()).isFalse();
  }

  @Test
  void neverBreaksEvenWhereReadingIsSlowerThanTheTeacher() {
    // online 1/4000 + 1/8000 s; reading 7,680 bytes at 10 MB/s takes 768 microseconds
    assertThat(of(9, 7680, 1e7, 0).breakEvenReads()).isInfinite();
    assertThat(of(9, 7680, 1e7, 0).limit()).isEqualTo("read rate");
    assertThat(of(9, 7680, 1e7, 0).breakEvenBytesPerToken()).isCloseTo(3750, within(1e-6));
  }

  @Test
  void namesTheSlowerOfTeacherAndStudent() {
    assertThat(of(1, 0, 1e9, 0).limit()).isEqualTo("teacher compute");
    assertThat(of(3, 0, 1e9, 0).limit()).isEqualTo("student compute");
  }
}
