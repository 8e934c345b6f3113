/** Builds the model of each architecture. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model.factory;
