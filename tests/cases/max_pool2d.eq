# Max pooling in two dimensions
axis u = 2, v = 2, p = (size(h) - size(u))//2 + 1, q = (size(w) - size(v))//2 + 1
data x[b,c,h,w]
parameter γ[c], V[c,p,q]
z[b,c,h,w] = sin(γ[c]*x[b,c,h,w])
m[b,c,p,q] = max[u,v](z[b,c,2*p + u,2*q + v])
C = sum[b]((sum[c,p,q](m[b,c,p,q]*V[c,p,q]))^2)
