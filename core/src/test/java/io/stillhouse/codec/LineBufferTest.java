package io.stillhouse.codec;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.target.Dtype;
import org.junit.jupiter.api.Test;

class LineBufferTest {
  @Test
  void rejectsTensorOfMoreThanTwoGibibytes() {
    // Dense soft labels of 17,600 tokens of BERT-base.
    assertThatThrownBy(() -> LineBuffer.padded(Dtype.FLOAT32, 17_600, 30_522))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("17,600 stored vectors of 30,522 numbers")
        .hasMessageContaining("lower train.micro-batch-tokens");
  }
}
