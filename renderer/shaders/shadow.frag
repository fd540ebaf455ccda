// Depth is all there is to draw.
void main() {}
