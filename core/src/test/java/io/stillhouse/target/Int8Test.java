package io.stillhouse.target;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Int8Test {
  @Test
  void eachLineHasItsOwnScale() {
    byte[] cell = Int8.encode(FloatBuffer.wrap(new float[] {1, -2, 0, 254, 127, -254}), 2, 3);

    ByteBuffer bytes = ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(cell).hasSize(2 * 4 + 2 * 3);
    assertThat(bytes.getFloat(0)).isEqualTo(2f / 127);
    assertThat(bytes.getFloat(4)).isEqualTo(2f);
    assertThat(new byte[] {cell[8], cell[9], cell[10]}).containsExactly(64, -127, 0);
    assertThat(new byte[] {cell[11], cell[12], cell[13]}).containsExactly(127, 64, -127);
  }

  @Test
  void errorsAreAtMostHalfStep() {
    Random random = new Random(7);
    float[] numbers = new float[40 * 33];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (float) (random.nextGaussian() * Math.pow(10, i / 33 % 7 - 3));
    }

    byte[] cell = Int8.encode(FloatBuffer.wrap(numbers), 40, 33);

    for (int line = 0; line < 40; line++) {
      float largest = 0;
      for (int i = 0; i < 33; i++) {
        largest = Math.max(largest, Math.abs(numbers[line * 33 + i]));
      }
      FloatBuffer read = FloatBuffer.allocate(33);
      Int8.decode(cell, 40, line, read);
      for (int i = 0; i < 33; i++) {
        assertThat(read.get(i)).isCloseTo(numbers[line * 33 + i], within(largest * 0.5001f / 127));
      }
    }
  }

  @Test
  void outliersAreExactAndDoNotAffectScale() {
    float[] numbers = new float[2 * 768];
    Random random = new Random(7);
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (float) random.nextGaussian();
    }
    numbers[768 + 308] = -40;
    numbers[768 + 381] = 11.123456f;

    byte[] cell = Int8.encode(FloatBuffer.wrap(numbers), 2, 768);

    assertThat(cell).hasSize(2 * (768 + 4 + 4 * 6));
    FloatBuffer read = FloatBuffer.allocate(768);
    Int8.decode(cell, 2, 1, read);
    double error = 0;
    double size = 0;
    for (int i = 0; i < 768; i++) {
      error += Math.pow(read.get(i) - numbers[768 + i], 2);
      size += Math.pow(numbers[768 + i], 2);
    }
    assertThat(read.get(308)).isEqualTo(-40);
    assertThat(read.get(381)).isEqualTo(11.123456f);
    assertThat(Math.sqrt(error / size)).isLessThan(0.007);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 127, 128, 255, 256, 384, 511, 512, 768, 30_522, 65_536, 65_537, 119_547})
  void widthIsDerivedFromCellSize(int width) {
    float[] numbers = new float[width];
    numbers[0] = 3;
    numbers[width - 1] = 254;

    byte[] cell = Int8.encode(FloatBuffer.wrap(numbers), 1, width);

    assertThat(Dtype.INT8.width(3 * cell.length, 3)).isEqualTo(width);
    FloatBuffer read = FloatBuffer.allocate(width);
    Int8.decode(cell, 1, 0, read);
    assertThat(read.get(width - 1)).isEqualTo(254);
    assertThat(read.get(0)).isCloseTo(width == 1 ? 254 : 3, within(1f));
  }

  @Test
  void zerosAndSubnormalsStayFinite() {
    byte[] cell =
        Int8.encode(FloatBuffer.wrap(new float[] {0, 0, Float.MIN_VALUE, -Float.MIN_VALUE}), 2, 2);

    FloatBuffer read = FloatBuffer.allocate(4);
    Int8.decode(cell, 2, 0, read);
    Int8.decode(cell, 2, 1, read);
    assertThat(read.array()).containsOnly(0f);
  }

  @Test
  void rejectsCellOfWrongSize() {
    assertThatThrownBy(() -> Dtype.INT8.width(15, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a int8 cell of 2 lines cannot have 15 bytes");
  }
}
