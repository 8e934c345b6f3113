/**
 * Reads and writes models on disk: safetensors files and the directories of Hugging Face encoders
 * and BiLSTMs. Opening a directory checks its config and the headers of its weights, so errors are
 * found before any weight is read or any output is written. The {@code foreign} package imports
 * models in other formats.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.checkpoint;
