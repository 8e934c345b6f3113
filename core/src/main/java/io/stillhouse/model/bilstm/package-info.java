/** The BiLSTM student. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model.bilstm;
