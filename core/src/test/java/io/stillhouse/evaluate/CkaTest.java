package io.stillhouse.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CkaTest {
  @Test
  void equalsValueWorkedByHand() {
    // U-centered kernels above the diagonal: (-2, 4, -2, -2, 4, -2) / 3 and (4, -2, -2, -2, -2, 4)
    // / 3. Their product is -24 / 9, and each one's with itself is 48 / 9.
    float[][] x = {{1}, {-1}, {1}, {-1}};
    float[][] y = {{1}, {1}, {-1}, {-1}};
    assertThat(cka(x, y)).isEqualTo(-0.5, within(1e-12));
  }

  @Test
  void equalsUnbiasedHsicWrittenAsSums() {
    float[][] x = random(9, 5, 1);
    float[][] y = random(9, 3, 2);
    double expected = hsic(x, y) / Math.sqrt(hsic(x, x) * hsic(y, y));
    assertThat(cka(x, y)).isEqualTo(expected, within(1e-10));
  }

  @Test
  void doesNotDependOnRotationScaleOrOrigin() {
    float[][] x = random(20, 2, 3);
    float[][] y = random(20, 4, 4);
    float[][] turned = new float[20][];
    for (int row = 0; row < 20; row++) {
      turned[row] = new float[] {5 - 3 * x[row][1], 3 * x[row][0] - 7};
    }
    assertThat(cka(x, turned)).isEqualTo(1, within(1e-9));
    assertThat(cka(turned, y)).isEqualTo(cka(x, y), within(1e-6));
  }

  @Test
  void isNearZeroForUnrelatedWideRepresentations() {
    // The biased estimate is about 0.7 here: 200 dimensions and 80 rows.
    assertThat(cka(random(80, 200, 5), random(80, 200, 6))).isEqualTo(0, within(0.1));
  }

  @Test
  void comparesEveryPair() {
    float[][] x = random(10, 4, 7);
    float[][] y = random(10, 4, 8);
    double[][] similarities = Cka.between(List.of(x, y), List.of(y, x, x));
    assertThat(similarities).hasDimensions(2, 3);
    assertThat(similarities[0][1]).isEqualTo(1, within(1e-12));
    assertThat(similarities[1][0]).isEqualTo(1, within(1e-12));
    assertThat(similarities[0][0]).isEqualTo(similarities[1][2], within(1e-12));
  }

  @Test
  void isNotDefinedForConstantRepresentations() {
    assertThat(cka(new float[5][2], random(5, 2, 9))).isNaN();
  }

  @Test
  void survivesVeryLargeNumbers() {
    float[][] x = random(6, 3, 10);
    float[][] large = new float[6][3];
    for (int row = 0; row < 6; row++) {
      for (int d = 0; d < 3; d++) {
        large[row][d] = x[row][d] * 1e30f;
      }
    }
    assertThat(cka(x, large)).isEqualTo(1, within(1e-6));
  }

  @Test
  void rejectsFewRowsAndDifferentRows() {
    assertThatThrownBy(() -> cka(new float[3][1], new float[3][1]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("CKA needs at least 4 rows, but there are 3");
    assertThatThrownBy(() -> cka(random(4, 1, 1), random(5, 1, 1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the representations have different numbers of rows");
  }

  private static double cka(float[][] x, float[][] y) {
    return Cka.between(List.<float[][]>of(x), List.<float[][]>of(y))[0][0];
  }

  private static float[][] random(int rows, int width, long seed) {
    Random random = new Random(seed);
    float[][] values = new float[rows][width];
    for (float[] row : values) {
      for (int d = 0; d < width; d++) {
        row[d] = (float) random.nextGaussian();
      }
    }
    return values;
  }

  /** Song et al. 2012, equation 5, with the matrices written out. */
  private static double hsic(float[][] x, float[][] y) {
    int n = x.length;
    double[][] k = kernel(x);
    double[][] l = kernel(y);
    double trace = 0;
    double sumK = 0;
    double sumL = 0;
    double sumKl = 0;
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        trace += k[i][j] * l[j][i];
        sumK += k[i][j];
        sumL += l[i][j];
        for (int m = 0; m < n; m++) {
          sumKl += k[i][j] * l[j][m];
        }
      }
    }
    return (trace + sumK * sumL / ((n - 1.0) * (n - 2)) - 2.0 / (n - 2) * sumKl) / (n * (n - 3.0));
  }

  private static double[][] kernel(float[][] x) {
    double[][] kernel = new double[x.length][x.length];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < x.length; j++) {
        for (int d = 0; i != j && d < x[i].length; d++) {
          kernel[i][j] += (double) x[i][d] * x[j][d];
        }
      }
    }
    return kernel;
  }
}
