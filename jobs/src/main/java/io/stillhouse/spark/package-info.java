/**
 * Spark ML transformers that apply a model to a column of texts: {@code TextClassifier} and {@code
 * TextEmbedder}. They are used like Spark's own stages, from Java, Scala and Python, and their
 * parameters, getters and setters follow Spark's naming. Parameters and output columns are those of
 * the Spark extension of DJL (https://github.com/deepjavalibrary/djl/tree/master/extensions/spark).
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.spark;
