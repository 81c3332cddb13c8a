"""The contracts in a browser: a static catalogue (`contracts site`), and a console that shows them live."""
